// Convolutions of numbers of 8 bits as steps, exact. Four numbers of x make a word: of four channels, or where there are
// fewer, four neighbours of a window's row. Words lie in planes such that the word of each element of a window is at a
// fixed distance, whatever the strides, and that neighbouring positions have neighbouring words.
#include <algorithm>
#include <cstring>

#include "integers.h"

namespace recurra {
namespace {

std::int64_t quarters(std::int64_t n) { return (n + 3) / 4; }

// Copies a few bytes, without the cost of a call of memcpy().
void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::int64_t n) {
  const auto copy = [&]<std::int64_t size> {
    for (std::int64_t i = 0; i + size <= n; i += size) std::memcpy(to + i, from + i, size);
    std::memcpy(to + n - size, from + n - size, size);  // the rest, and some bytes once more
  };
  if (n >= 16) copy.template operator()<16>();
  else if (n >= 4) copy.template operator()<4>();
  else
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
}

// One axis of a window over words: each element is in the plane of its phase, some words from the position's.
struct Axis {
  std::vector<std::int64_t> phases;   // of the planes: the first element in each
  std::vector<std::int64_t> longest;  // for each plane, the largest shift
  std::vector<std::size_t> planes;    // of each element
  std::vector<std::int64_t> shifts;   // of each element
  std::int64_t most = 0;              // the largest shift of all

  Axis(std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
    for (std::int64_t i = 0; i < kernel; ++i) {
      const std::int64_t phase = i * dilation % stride, shift = i * dilation / stride;
      const auto found = std::find(phases.begin(), phases.end(), phase);
      planes.push_back(static_cast<std::size_t>(found - phases.begin()));
      if (found == phases.end()) phases.push_back(phase), longest.push_back(0);
      std::int64_t& reach = longest[planes.back()];
      reach = std::max(reach, shift), most = std::max(most, shift);
      shifts.push_back(shift);
    }
  }
};

class IntegerConvolution : public Step {
 public:
  IntegerConvolution(const Windows& windows, const std::uint8_t* x, bool is_signed, const std::uint8_t* zero,
                     const IntegerFilters& filters, const Rescaling& y, int threads, const Kernels& kernels)
      : w_(windows.as_long_rows()),
        x_(x),
        is_signed_(is_signed),
        zero_(zero),
        y_(y),
        threads_(threads),
        r_(kernels.integers),
        lanes_(static_cast<std::int64_t>(kernels.lanes)),
        channels_(w_.channels / w_.groups),
        filters_(w_.filters / w_.groups),
        by_taps_(channels_ * quarters(w_.kernel[1]) < quarters(channels_) * w_.kernel[1]),
        blocks_(by_taps_ ? channels_ : quarters(channels_)),
        rows_(w_.kernel[0], w_.strides[0], w_.dilations[0]),
        is_flat_(w_.strides[0] == 1 && w_.strides[1] == 1),
        columns_(by_taps_ ? 1 : w_.kernel[1], by_taps_ ? 1 : w_.strides[1], w_.dilations[1]),
        variants_(by_taps_ ? quarters(w_.kernel[1]) : static_cast<std::int64_t>(columns_.phases.size())),
        zeros_(filters.zeros) {
    const double positions = static_cast<double>(w_.images * w_.out(0) * w_.out(1));
    work_ = positions * static_cast<double>(w_.filters * channels_ * w_.elements()) / 2;
    for (std::int32_t& each : zeros_) each -= filters.is_signed ? 0 : 128;
    has_zeros_ = std::any_of(zeros_.begin(), zeros_.end(), [](std::int32_t each) { return each != 0; });
    choose_piece();
    find_offsets();
    pack(filters);
    added_.resize(static_cast<std::size_t>(w_.filters));
    factors_.resize(y_.has_factors() ? static_cast<std::size_t>(w_.filters) : 0);
    bytes_ = packed_.size() * sizeof(std::uint32_t);
  }

  void run() override {
    // Of x as unsigned numbers.
    const std::int32_t zero = (zero_ == nullptr ? 0 : number_of(*zero_, is_signed_)) + (is_signed_ ? 128 : 0);
    const std::int64_t count = channels_ * w_.elements();
    for (std::int64_t f = 0; f < w_.filters; ++f) {
      const auto n = static_cast<std::size_t>(f);
      const std::int64_t moved = zero * (count * zeros_[n] - weight_sums_[n]);
      const std::int64_t bias = y_.added.data == nullptr ? 0 : y_.added.at(f);
      added_[n] = static_cast<std::int32_t>(static_cast<std::uint32_t>(moved + bias));
      if (!factors_.empty()) factors_[n] = y_.factor(f);
    }
    const std::int64_t down = (w_.out(0) + tall_ - 1) / tall_, across = (w_.out(1) + wide_ - 1) / wide_;
    split_work(threads_, work_, w_.images * w_.groups * down * across, [&](auto begin, auto end) {
      for (std::int64_t n = begin; n < end; ++n) {
        Piece piece{n / across / down / w_.groups,
                    n / across / down % w_.groups,
                    n / across % down * tall_,
                    n % across * wide_,
                    0,
                    0};
        piece.rows = std::min(tall_, w_.out(0) - piece.row);
        piece.columns = std::min(wide_, w_.out(1) - piece.column);
        run_piece(piece, static_cast<std::uint8_t>(zero));
      }
    });
  }

 private:
  static constexpr std::int64_t most_words = 1 << 15;  // of a piece: they stay in the second-level cache
  static constexpr std::int64_t most_sums = 1 << 14;   // of a block of positions

  // A rectangle of the result of one image and group.
  struct Piece {
    std::int64_t image, group, row, column, rows, columns;
  };

  std::int64_t planes() const { return blocks_ * static_cast<std::int64_t>(rows_.phases.size()) * variants_; }
  // From a row of words to the next. Where they are laid in one go, rows have the elements that the windows see.
  std::int64_t pitch() const { return wide_ + (is_flat_ ? span_of(1) - 1 : columns_.most); }
  std::int64_t plane() const { return (tall_ + rows_.most) * pitch(); }
  std::int64_t counted() const { return filters_ + has_zeros_; }  // filters of a group; the last adds x up

  void choose_piece() {
    const std::int64_t columns = w_.out(1), each = most_words / planes();  // words of a plane
    const std::int64_t fitting = each / (columns + span_of(1) - 1) - rows_.most;
    tall_ = std::clamp<std::int64_t>(fitting, 1, w_.out(0));
    wide_ = fitting >= 1 ? columns : std::min(columns, std::max(8 * lanes_, each / (1 + rows_.most) / lanes_ * lanes_));
    if (threads_ <= 1) return;
    // Enough pieces for all threads.
    const std::int64_t wanted = (2 * threads_ + w_.images * w_.groups - 1) / (w_.images * w_.groups);
    if (w_.out(0) > 1) tall_ = std::min(tall_, (w_.out(0) + wanted - 1) / wanted);
    else
      wide_ = std::min(wide_, std::max(8 * lanes_, ((columns + wanted - 1) / wanted + lanes_ - 1) / lanes_ * lanes_));
  }

  void find_offsets() {
    const auto phases = static_cast<std::int64_t>(rows_.phases.size());
    const std::int64_t taps = by_taps_ ? variants_ : w_.kernel[1];
    for (std::int64_t b = 0; b < blocks_; ++b) {
      for (std::size_t i = 0; i < rows_.shifts.size(); ++i) {
        for (std::int64_t j = 0; j < taps; ++j) {
          const auto n = static_cast<std::size_t>(j);
          const std::int64_t variant = by_taps_ ? j : static_cast<std::int64_t>(columns_.planes[n]);
          const std::int64_t at = (b * phases + static_cast<std::int64_t>(rows_.planes[i])) * variants_ + variant;
          offsets_.push_back(at * plane() + rows_.shifts[i] * pitch() + (by_taps_ ? 0 : columns_.shifts[n]));
        }
      }
    }
  }

  // Calls f(place, weight) for every number of a filter, in the order of words.
  template <class F>
  void each_number(F f) const {
    const std::int64_t high = w_.kernel[0], wide = w_.kernel[1], taps = by_taps_ ? variants_ : wide;
    std::size_t place = 0;
    for (std::int64_t b = 0; b < blocks_; ++b) {
      for (std::int64_t i = 0; i < high; ++i) {
        for (std::int64_t j = 0; j < taps; ++j) {
          for (std::int64_t u = 0; u < 4; ++u, ++place) {
            const std::int64_t channel = by_taps_ ? b : 4 * b + u, column = by_taps_ ? 4 * j + u : j;
            if (channel < channels_ && column < wide) f(place, (channel * high + i) * wide + column);
          }
        }
      }
    }
  }

  void pack(const IntegerFilters& filters) {
    const std::size_t k = offsets_.size(), each = static_cast<std::size_t>(channels_ * w_.elements());
    const std::size_t own = static_cast<std::size_t>(counted());
    std::vector<std::int8_t> numbers(static_cast<std::size_t>(w_.groups) * own * k * 4, 0);
    std::int8_t* to = numbers.data();
    for (std::int64_t group = 0; group < w_.groups; ++group) {
      for (std::size_t f = 0; f < own; ++f, to += 4 * k) {
        const bool adds = f == static_cast<std::size_t>(filters_);
        const std::uint8_t* from = filters.weights + (static_cast<std::size_t>(group * filters_) + f) * each;
        std::int32_t sum = 0;
        each_number([&](std::size_t place, std::int64_t weight) {
          to[place] =
              adds ? std::int8_t{1} : static_cast<std::int8_t>(filters.is_signed ? from[weight] : from[weight] ^ 0x80);
          sum += to[place];
        });
        if (!adds) weight_sums_.push_back(sum);
      }
    }
    is_narrow_ = true;
    for (std::size_t n = 0; n < numbers.size(); n += 2) {
      const int a = numbers[n], b = numbers[n + 1];
      is_narrow_ &= std::max(a, 0) + std::max(b, 0) <= 128 && std::min(a, 0) + std::min(b, 0) >= -128;
    }
    packed_.resize(numbers.size() / 2);
    packed_.resize(r_.pack_filters(packed_.data(), numbers.data(), numbers.size() / 4, is_narrow_));
  }

  // ---- words ----

  // Lays the words of a piece whose windows move by one element: all rows of a channel in one go.
  void lay_flat(const Piece& piece, std::uint8_t zero, std::uint32_t* words, std::uint8_t* lines) const {
    const std::uint8_t flip = is_signed_ ? 0x80 : 0;
    const std::int64_t column = piece.column - w_.before[1], row = piece.row - w_.before[0];
    const std::int64_t high = piece.rows + rows_.most, wide = pitch(), size = high * wide;
    const bool is_inside = column == 0 && wide == w_.width && row >= 0 && row + high <= w_.height;
    const std::int64_t reach = (by_taps_ ? w_.kernel[1] - 1 : 0) * w_.dilations[1];
    for (std::int64_t b = 0; b < blocks_; ++b) {
      const std::uint8_t* sources[4];
      for (std::int64_t u = 0; u < (by_taps_ ? 1 : 4); ++u) {
        const std::int64_t channel = by_taps_ ? b : std::min(4 * b + u, channels_ - 1);
        const std::uint8_t* plane =
            x_ + (piece.image * w_.channels + piece.group * channels_ + channel) * w_.height * w_.width;
        sources[u] = plane + row * w_.width;
        if (is_inside) continue;
        std::uint8_t* to = lines + u * size;
        sources[u] = to;
        for (std::int64_t h = row; h < row + high; ++h, to += wide) {
          if (h < 0 || h >= w_.height) std::memset(to, zero ^ flip, static_cast<std::size_t>(wide));
          else padded(plane + h * w_.width, column, wide, zero ^ flip, to);
        }
      }
      for (std::int64_t v = 0; v < variants_; ++v, words += plane()) {
        const std::uint8_t* rows[4];
        for (std::int64_t u = 0; u < 4; ++u) {
          rows[u] = by_taps_ ? sources[0] + std::min(4 * v + u, w_.kernel[1] - 1) * w_.dilations[1] : sources[u];
        }
        r_.interleave(words, rows, static_cast<std::size_t>(size - reach), 1, flip);
      }
    }
  }

  // Lays the words of any piece, row by row.
  void lay(const Piece& piece, std::uint8_t zero, std::uint32_t* words, std::uint8_t* lines) const {
    const std::uint8_t flip = is_signed_ ? 0x80 : 0;
    const std::int64_t begin = piece.column * w_.strides[1] - w_.before[1], span = span_of(piece.columns);
    const bool is_inside = begin >= 0 && begin + span <= w_.width;
    for (std::int64_t b = 0; b < blocks_; ++b) {
      for (std::size_t p = 0; p < rows_.phases.size(); ++p) {
        std::uint32_t* to =
            words +
            (b * static_cast<std::int64_t>(rows_.phases.size()) + static_cast<std::int64_t>(p)) * variants_ * plane();
        for (std::int64_t h = 0; h < piece.rows + rows_.longest[p]; ++h, to += pitch()) {
          const std::int64_t row = (piece.row + h) * w_.strides[0] + rows_.phases[p] - w_.before[0];
          if (row < 0 || row >= w_.height) {
            for (std::int64_t v = 0; v < variants_; ++v) {
              std::fill_n(to + v * plane(), piece.columns + columns_.most, zero * 0x01010101u);
            }
            continue;
          }
          const std::uint8_t* sources[4];
          for (std::int64_t u = 0; u < (by_taps_ ? 1 : 4); ++u) {
            const std::int64_t channel = by_taps_ ? b : std::min(4 * b + u, channels_ - 1);
            const std::uint8_t* line =
                x_ + ((piece.image * w_.channels + piece.group * channels_ + channel) * w_.height + row) * w_.width;
            sources[u] = is_inside ? line + begin : padded(line, begin, span, zero ^ flip, lines + u * span);
          }
          lay_row(piece, sources, flip, to);
        }
      }
    }
  }

  void lay_row(const Piece& piece, const std::uint8_t* const* sources, std::uint8_t flip, std::uint32_t* to) const {
    for (std::int64_t v = 0; v < variants_; ++v, to += plane()) {
      const std::uint8_t* rows[4];
      for (std::int64_t u = 0; u < 4; ++u) {
        rows[u] = by_taps_ ? sources[0] + std::min(4 * v + u, w_.kernel[1] - 1) * w_.dilations[1]
                           : sources[u] + columns_.phases[static_cast<std::size_t>(v)];
      }
      const std::int64_t n = piece.columns + (by_taps_ ? 0 : columns_.longest[static_cast<std::size_t>(v)]);
      r_.interleave(to, rows, static_cast<std::size_t>(n), w_.strides[1], flip);
    }
  }

  // The elements of a row that so many positions see.
  std::int64_t span_of(std::int64_t columns) const {
    return (columns - 1) * w_.strides[1] + (w_.kernel[1] - 1) * w_.dilations[1] + 1;
  }

  // A copy of a row's elements from `begin` on, with the zero point outside of the row.
  const std::uint8_t* padded(const std::uint8_t* line, std::int64_t begin, std::int64_t span, int zero,
                             std::uint8_t* to) const {
    const std::int64_t left = std::clamp<std::int64_t>(-begin, 0, span);
    const std::int64_t right = std::clamp<std::int64_t>(w_.width - begin, left, span);
    for (std::int64_t i = 0; i < left; ++i) to[i] = static_cast<std::uint8_t>(zero);
    if (right > left) copy_bytes(to + left, line + begin + left, right - left);
    for (std::int64_t i = right; i < span; ++i) to[i] = static_cast<std::uint8_t>(zero);
    return to;
  }

  // ---- sums ----

  void run_piece(const Piece& piece, std::uint8_t zero) const {
    const std::int64_t two = 2 * lanes_, count = counted();
    const std::int64_t block = std::clamp(most_sums / count / two, std::int64_t{1}, 256 / lanes_) * two;
    const std::int64_t words = planes() * plane() + 2 * two, sums = count * block;
    const std::int64_t lines = is_flat_ ? plane() : span_of(wide_);  // words for the bytes of four
    auto* memory = scratch<std::uint32_t>(static_cast<std::size_t>(words + sums + block + lines + 4));
    auto* found = reinterpret_cast<std::int32_t*>(memory + words);
    auto* bytes = reinterpret_cast<std::uint8_t*>(found + sums + block);
    if (is_flat_) lay_flat(piece, zero, memory, bytes);
    else lay(piece, zero, memory, bytes);
    const std::uint32_t* filters =
        packed_.data() + static_cast<std::size_t>(piece.group) * packed_.size() / static_cast<std::size_t>(w_.groups);
    const std::int64_t positions = (piece.rows - 1) * pitch() + piece.columns;
    for (std::int64_t first = 0; first < positions; first += block) {
      const std::int64_t n = std::min(block, positions - first);
      r_.correlate(found, block, filters, static_cast<std::size_t>(count), is_narrow_, memory + first, offsets_.data(),
                   offsets_.size(), static_cast<std::size_t>(n));
      finish(piece, first, n, found, block);
    }
  }

  // Writes the results of n positions of a piece, some of which are between rows.
  void finish(const Piece& piece, std::int64_t first, std::int64_t n, std::int32_t* sums, std::int64_t stride) const {
    const std::int32_t* all = sums + filters_ * stride;
    std::int32_t* spare = sums + counted() * stride;
    const bool is_whole = piece.rows == 1 || pitch() == w_.out(1);
    Rescaling to = y_;
    for (std::int64_t f = 0; f < filters_; ++f, sums += stride) {
      const std::int64_t filter = piece.group * filters_ + f;
      const auto number = static_cast<std::size_t>(filter);
      if (zeros_[number] != 0) {
        const auto zero = static_cast<std::uint32_t>(zeros_[number]);
        for (std::int64_t p = 0; p < n; ++p) {
          sums[p] = static_cast<std::int32_t>(static_cast<std::uint32_t>(sums[p]) -
                                              zero * static_cast<std::uint32_t>(all[p]));
        }
      }
      if (y_.sums != nullptr) {
        const auto more = static_cast<std::uint32_t>(added_[number]);
        for (std::int64_t p = 0; p < n; ++p)
          sums[p] = static_cast<std::int32_t>(static_cast<std::uint32_t>(sums[p]) + more);
      }
      const Scaling scaled{sums, &added_[number], 0, factors_.empty() ? nullptr : &factors_[number], 0};
      const Rescaling::Numbers<float> bias{y_.bias.data == nullptr ? nullptr : y_.bias.data + filter * y_.bias.step, 0};
      const std::int64_t at = ((piece.image * w_.filters + filter) * w_.out(0) + piece.row) * w_.out(1) + piece.column;
      if (is_whole) {
        y_.write(at + first, static_cast<std::size_t>(n), scaled, bias, r_);
        continue;
      }
      const auto part = [&](auto* own, auto* y) {
        for (std::int64_t p = 0; p < n;) {
          const std::int64_t row = (first + p) / pitch(), column = (first + p) % pitch();
          const std::int64_t length = std::min(n - p, pitch() - column),
                             valid = std::min(length, piece.columns - column);
          if (valid > 0)
            std::memcpy(y + at + row * w_.out(1) + column, own + p, static_cast<std::size_t>(valid) * sizeof *y);
          p += length;
        }
      };
      if (y_.sums != nullptr) {
        part(sums, y_.sums);
      } else if (y_.floats != nullptr) {
        to.floats = reinterpret_cast<float*>(spare);
        to.write(0, static_cast<std::size_t>(n), scaled, bias, r_);
        part(to.floats, y_.floats);
      } else {
        to.bytes = reinterpret_cast<std::uint8_t*>(spare);
        to.write(0, static_cast<std::size_t>(n), scaled, bias, r_);
        part(to.bytes, y_.bytes);
      }
    }
  }

  const Windows w_;
  const std::uint8_t* x_;
  const bool is_signed_;
  const std::uint8_t* zero_;
  const Rescaling y_;
  const int threads_;
  const IntegerRoutines& r_;
  const std::int64_t lanes_;
  const std::int64_t channels_, filters_;  // of a group
  const bool by_taps_;                     // whether the numbers of a word are neighbours, not channels
  const std::int64_t blocks_;              // of channels
  const Axis rows_;
  const bool is_flat_;  // whether the words of several rows can be laid in one go, as positions are neighbours
  const Axis columns_;
  const std::int64_t variants_;  // planes of words for each block of channels and phase of rows
  std::vector<std::int32_t> zeros_, weight_sums_;
  bool has_zeros_ = false, is_narrow_ = false;
  std::int64_t tall_ = 1, wide_ = 1;  // rows and columns of a piece
  std::vector<std::ptrdiff_t> offsets_;
  std::vector<std::uint32_t> packed_;
  std::vector<std::int32_t> added_;  // of each filter, in this run
  std::vector<float> factors_;
};

}  // namespace

std::unique_ptr<Step> integer_convolution(const Windows& windows, const std::uint8_t* x, bool is_signed,
                                          const std::uint8_t* zero, const IntegerFilters& filters, const Rescaling& y,
                                          int threads, const Kernels& kernels) {
  return std::make_unique<IntegerConvolution>(windows, x, is_signed, zero, filters, y, threads, kernels);
}

}  // namespace recurra
