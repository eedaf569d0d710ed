// Convolution and pooling as steps. Sums have the order of matrix products: chains over ascending (channel, row, column)
// of the window. So each result has the same bits however long x is, whichever way below computes it.
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

#include "steps.h"

namespace recurra {

void Windows::check() const {
  const auto require = [](bool holds) {
    if (!holds) throw std::invalid_argument("these sizes make no window");
  };
  constexpr std::int64_t most = std::int64_t{1} << 31;
  require(images >= 1 && channels >= 1 && groups >= 1 && filters >= 1 && height >= 1 && width >= 1);
  require(channels % groups == 0 && filters % groups == 0);
  for (int axis = 0; axis < 2; ++axis) {
    for (const std::int64_t size : {kernel[axis], strides[axis], dilations[axis]}) require(size >= 1 && size < most);
    require(before[axis] >= 0 && after[axis] >= 0 && before[axis] < most && after[axis] < most);
    require(kernel[axis] <= padded(axis) && (kernel[axis] - 1) * dilations[axis] < padded(axis));
  }
}

Windows Windows::as_long_rows() const {
  Windows w = *this;
  const bool is_pointwise = elements() == 1 && strides[0] == 1 && strides[1] == 1 && !has_padding();
  if (is_pointwise) w.width *= w.height, w.height = 1;
  return w;
}

std::vector<std::ptrdiff_t> Windows::offsets(std::int64_t count) const {
  std::vector<std::ptrdiff_t> found;
  for (std::int64_t c = 0; c < count; ++c) {
    for (std::int64_t i = 0; i < kernel[0]; ++i) {
      for (std::int64_t j = 0; j < kernel[1]; ++j) {
        found.push_back((c * padded(0) + i * dilations[0]) * padded(1) + j * dilations[1]);
      }
    }
  }
  return found;
}

namespace {

constexpr std::size_t chain = 128;  // of kernels_product.inl: a panel of one chain stays in the first-level cache

// Copies a plane into the middle of a padded one, whose border is left alone.
template <class T>
void copy_inside(const Windows& w, const T* plane, T* padded) {
  for (std::int64_t i = 0; i < w.height; ++i) {
    std::memcpy(padded + (i + w.before[0]) * w.padded(1) + w.before[1], plane + i * w.width,
                static_cast<std::size_t>(w.width) * sizeof(T));
  }
}

template <class T>
class Convolution : public Step {
 public:
  Convolution(const Windows& windows, const T* x, const T* weights, const T* bias, T* y,
              std::unique_ptr<Chain<T>> after, int threads, const Routines<T>& routines)
      : w_(windows.as_long_rows()),
        x_(x),
        weights_(weights),
        y_(y),
        after_(std::move(after)),
        threads_(threads),
        r_(routines),
        rectifies_(after_ != nullptr && after_->rectifies()),
        channels_(w_.channels / w_.groups),
        filters_(w_.filters / w_.groups),
        k_(static_cast<std::size_t>(channels_ * w_.elements())),
        positions_(w_.out(0) * w_.out(1)),
        offsets_(w_.offsets(channels_)) {
    work_ = static_cast<double>(w_.images * w_.filters * positions_) * static_cast<double>(k_);
    const auto lanes = static_cast<std::int64_t>(r_.lanes);
    if (w_.has_padding()) padded_.assign(static_cast<std::size_t>(w_.images * w_.channels * plane()), T(0));
    const std::int64_t whole = (w_.out(1) + lanes - 1) / lanes * lanes;
    if (w_.groups == 1 && w_.images * positions_ <= 2 * lanes && w_.filters >= lanes) way_ = Way::filters;
    else if (filters_ < 4 || (w_.strides[1] <= 2 && (whole * 7 <= w_.out(1) * 8 || (k_ <= 64 && w_.out(1) >= lanes))))
      way_ = Way::direct;
    bias_.assign(static_cast<std::size_t>((w_.filters + lanes) * (way_ == Way::positions ? lanes : 1)), T(0));
    for (std::int64_t f = 0; bias != nullptr && f < w_.filters; ++f) {
      const std::int64_t repeats = way_ == Way::positions ? lanes : 1;
      std::fill_n(bias_.data() + f * repeats, repeats, bias[f]);
    }
    if (way_ == Way::filters) pack_filters();
    if (way_ == Way::positions) point_at_weights();
    bytes_ = (padded_.size() + bias_.size() + packed_.size()) * sizeof(T) + rows_.size() * sizeof(T*);
  }

  void run() override {
    if (!padded_.empty()) {
      split_work(threads_, static_cast<double>(padded_.size()), w_.images * w_.channels, [&](auto begin, auto end) {
        for (std::int64_t n = begin; n < end; ++n) {
          copy_inside(w_, x_ + n * w_.height * w_.width, padded_.data() + n * plane());
        }
      });
    }
    switch (way_) {
      case Way::direct: return run_direct();
      case Way::filters: return run_filters();
      case Way::positions: return run_positions();
    }
  }

 private:
  // direct: rows of windows as they lie; filters: a product with a column for each filter, as windows are few; positions:
  // a product with a column for each window.
  enum class Way { direct, filters, positions };

  std::int64_t plane() const { return w_.padded(0) * w_.padded(1); }
  const T* input(std::int64_t image, std::int64_t channel) const {
    return (padded_.empty() ? x_ : padded_.data()) + (image * w_.channels + channel) * plane();
  }

  // Runs what follows the sums: they lie in rows of `stride`, and go to y.
  void finish(T* sums, std::ptrdiff_t stride, T* y, std::ptrdiff_t y_stride, std::int64_t rows, std::int64_t n) const {
    if (after_ != nullptr) {
      const typename Chain<T>::Array arrays[] = {{sums, stride, 1}, {y, y_stride, 1}};
      after_->run(arrays, static_cast<std::size_t>(rows), static_cast<std::size_t>(n));
    } else if (sums != y) {
      for (std::int64_t row = 0; row < rows; ++row) {
        std::memcpy(y + row * y_stride, sums + row * stride, static_cast<std::size_t>(n) * sizeof(T));
      }
    }
  }

  // ---- long rows: filters over each row of windows ----

  void run_direct() const {
    const std::int64_t rows = w_.out(0), columns = w_.out(1), piece = std::max<std::int64_t>(columns_of_piece(), 1);
    const std::int64_t pieces = (columns + piece - 1) / piece, all = w_.images * w_.groups * rows * pieces;
    split_work(threads_, work_, all, [&](auto begin, auto end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const std::int64_t first = n % pieces * piece, row = n / pieces % rows, group = n / pieces / rows % w_.groups;
        const std::int64_t image = n / pieces / rows / w_.groups, count = std::min(piece, columns - first);
        const std::int64_t filter = group * filters_;
        T* y = y_ + ((image * w_.filters + filter) * rows + row) * columns + first;
        const T* x = input(image, group * channels_) + row * w_.strides[0] * w_.padded(1) + first * w_.strides[1];
        r_.correlate(y, positions_, weights_ + filter * static_cast<std::int64_t>(k_),
                     static_cast<std::size_t>(filters_), bias_.data() + filter, x, offsets_.data(), k_,
                     static_cast<std::size_t>(count), w_.strides[1], rectifies_);
        if (!rectifies_) finish(y, positions_, y, positions_, filters_, count);
      }
    });
  }

  // Whole vectors, so that a long row is work for several threads, and its x stays in the first-level cache.
  std::int64_t columns_of_piece() const { return static_cast<std::int64_t>(4 * r_.panel_vectors * r_.lanes); }

  // ---- few windows: windows times packed filters ----

  void pack_filters() {
    const std::size_t lanes = r_.lanes, count = static_cast<std::size_t>(w_.filters);
    const std::size_t vectors = (count + lanes - 1) / lanes;
    packed_.assign(vectors * lanes * k_ + slack, T(0));
    std::vector<Source<T>> sources;
    for (std::size_t v = 0; v < vectors; ++v) {
      sources.push_back(
          {weights_ + v * lanes * k_, 1, static_cast<std::ptrdiff_t>(k_), std::min(lanes, count - v * lanes)});
    }
    for (std::size_t v = 0; v < vectors; v += r_.panel_vectors) {
      r_.pack(packed_.data() + v * lanes * k_, k_, sources.data() + v, std::min(r_.panel_vectors, vectors - v));
    }
  }

  void run_filters() const {
    const FlushSubnormals flush;
    const std::size_t lanes = r_.lanes, vectors = (static_cast<std::size_t>(w_.filters) + lanes - 1) / lanes;
    const auto rows = static_cast<std::size_t>(w_.images * positions_);
    const std::size_t stride = vectors * lanes;
    T* windows = scratch<T>(rows * (k_ + stride));
    T* sums = windows + rows * k_;
    thread_local std::vector<const T*> pointers;
    thread_local std::vector<Column<T>> columns;
    pointers.clear(), columns.clear();
    for (std::size_t row = 0; row < rows; ++row) {
      const std::int64_t image = static_cast<std::int64_t>(row) / positions_,
                         p = static_cast<std::int64_t>(row) % positions_;
      const T* from = input(image, 0) + p / w_.out(1) * w_.strides[0] * w_.padded(1) + p % w_.out(1) * w_.strides[1];
      T* window = windows + row * k_;
      for (std::size_t k = 0; k < k_; ++k) window[k] = from[offsets_[k]];
      pointers.push_back(window);
    }
    for (std::size_t v = 0; v < vectors; ++v) {
      columns.push_back({sums + v * lanes, static_cast<std::ptrdiff_t>(stride), bias_.data() + v * lanes, 0});
    }
    r_.multiply(pointers.data(), rows, k_, {packed_.data()}, columns.data(), vectors);
    if (positions_ == 1)
      return finish(sums, static_cast<std::ptrdiff_t>(stride), y_, w_.filters, w_.images, w_.filters);
    for (std::int64_t image = 0; image < w_.images; ++image) {
      const T* from = sums + image * positions_ * static_cast<std::int64_t>(stride);
      T* to = y_ + image * w_.filters * positions_;
      for (std::int64_t f = 0; f < w_.filters; ++f) {
        for (std::int64_t p = 0; p < positions_; ++p)
          to[f * positions_ + p] = from[p * static_cast<std::int64_t>(stride) + f];
      }
    }
    const std::int64_t all = w_.images * w_.filters * positions_;
    finish(y_, all, y_, all, 1, all);
  }

  // ---- many windows: filters times packed windows ----

  // The first weight of each row of the product, for each chain and group.
  void point_at_weights() {
    for (std::int64_t group = 0; group < w_.groups; ++group) {
      for (std::size_t begin = 0; begin < k_; begin += chain) {
        for (std::int64_t f = 0; f < filters_; ++f) {
          rows_.push_back(weights_ + (group * filters_ + f) * static_cast<std::int64_t>(k_) + begin);
        }
      }
    }
  }

  void run_positions() const {
    const auto wide = static_cast<std::int64_t>(r_.panel_vectors * r_.lanes);
    const std::int64_t tiles = (positions_ + wide - 1) / wide;
    split_work(threads_, work_, w_.images * w_.groups * tiles, [&](auto begin, auto end) {
      for (std::int64_t n = begin; n < end; ++n)
        run_tile(n / tiles / w_.groups, n / tiles % w_.groups, n % tiles * wide);
    });
  }

  void run_tile(std::int64_t image, std::int64_t group, std::int64_t first) const {
    const std::size_t lanes = r_.lanes;
    const std::int64_t n = std::min(positions_ - first, static_cast<std::int64_t>(r_.panel_vectors * lanes));
    const std::size_t vectors = (static_cast<std::size_t>(n) + lanes - 1) / lanes, stride = vectors * lanes;
    T* panel = scratch<T>((chain + static_cast<std::size_t>(filters_)) * stride);
    T* sums = panel + chain * stride;
    const auto filters = static_cast<std::size_t>(filters_);
    const T* const* rows = rows_.data() + static_cast<std::size_t>(group) * filters * ((k_ + chain - 1) / chain);
    Column<T> columns[16];
    for (std::size_t begin = 0; begin < k_; begin += chain, rows += filters) {
      const std::size_t length = std::min(chain, k_ - begin);
      pack(image, group, first, n, begin, length, panel, stride);
      for (std::size_t v = 0; v < vectors; ++v) {
        T* out = sums + v * lanes;
        const T* init = begin == 0 ? bias_.data() + static_cast<std::size_t>(group) * filters * lanes : out;
        columns[v] = {out, static_cast<std::ptrdiff_t>(stride), init,
                      static_cast<std::ptrdiff_t>(begin == 0 ? lanes : stride)};
      }
      r_.multiply(rows, filters, length, {panel}, columns, vectors);
    }
    T* y = y_ + (image * w_.filters + group * filters_) * positions_ + first;
    finish(sums, static_cast<std::ptrdiff_t>(stride), y, positions_, filters_, n);
  }

  // Packs one chain of n windows, row by row of the output.
  void pack(std::int64_t image, std::int64_t group, std::int64_t first, std::int64_t n, std::size_t begin,
            std::size_t length, T* panel, std::size_t stride) const {
    if (static_cast<std::size_t>(n) < stride) {
      for (std::size_t k = 0; k < length; ++k) std::fill(panel + k * stride + n, panel + (k + 1) * stride, T(0));
    }
    const T* x = input(image, group * channels_);
    const std::int64_t columns = w_.out(1);
    for (std::int64_t done = 0; done < n;) {
      const std::int64_t row = (first + done) / columns, column = (first + done) % columns;
      const std::int64_t count = std::min(n - done, columns - column);
      r_.pack_windows(panel + done, stride, x + row * w_.strides[0] * w_.padded(1) + column * w_.strides[1],
                      offsets_.data() + begin, length, static_cast<std::size_t>(count), w_.strides[1]);
      done += count;
    }
  }

  const Windows w_;
  const T* x_;
  const T* weights_;
  T* y_;
  const std::unique_ptr<Chain<T>> after_;
  const int threads_;
  const Routines<T>& r_;
  const bool rectifies_;                   // whether nothing but a ReLU follows
  const std::int64_t channels_, filters_;  // of a group
  const std::size_t k_;
  const std::int64_t positions_;
  const std::vector<std::ptrdiff_t> offsets_;
  Way way_ = Way::positions;
  std::vector<T> padded_, bias_, packed_;
  std::vector<const T*> rows_;
};

template <class T>
class Pooling : public Step {
 public:
  Pooling(const Windows& windows, const T* x, const T* counts, T* y, int threads, const Routines<T>& routines)
      : w_(windows.as_long_rows()),
        x_(x),
        counts_(counts),
        y_(y),
        threads_(threads),
        r_(routines),
        offsets_(w_.offsets(1)),
        is_whole_(w_.kernel[0] == w_.height && w_.kernel[1] == w_.width && !w_.has_padding()) {
    work_ = static_cast<double>(w_.images * w_.channels * w_.out(0) * w_.out(1) * w_.elements()) / 4;
  }

  void run() override {
    split_work(threads_, work_, w_.images * w_.channels, [&](auto begin, auto end) {
      const auto size = static_cast<std::size_t>(w_.padded(0) * w_.padded(1));
      const T filler = counts_ == nullptr ? -std::numeric_limits<T>::infinity() : T(0);
      T* padded = w_.has_padding() ? scratch<T>(size) : nullptr;
      if (padded != nullptr) std::fill_n(padded, size, filler);
      for (std::int64_t n = begin; n < end; ++n) {
        const T* plane = x_ + n * w_.height * w_.width;
        if (padded != nullptr) copy_inside(w_, plane, padded);
        run_plane(padded != nullptr ? padded : plane, y_ + n * w_.out(0) * w_.out(1));
      }
    });
  }

 private:
  void run_plane(const T* plane, T* y) const {
    if (is_whole_) {
      T total[64 / sizeof(T) + slack];
      const auto count = static_cast<std::size_t>(w_.elements());
      r_.reduce(counts_ == nullptr ? Reduction::max : Reduction::sum, total, 0, plane, 0, 1, count);
      *y = counts_ == nullptr ? *total : *total / *counts_;
      return;
    }
    const std::int64_t columns = w_.out(1);
    for (std::int64_t row = 0; row < w_.out(0); ++row, y += columns) {
      r_.pool(counts_ == nullptr ? Reduction::max : Reduction::sum, y, plane + row * w_.strides[0] * w_.padded(1),
              offsets_.data(), offsets_.size(), static_cast<std::size_t>(columns), w_.strides[1]);
      for (std::int64_t j = 0; counts_ != nullptr && j < columns; ++j) y[j] /= counts_[row * columns + j];
    }
  }

  const Windows w_;
  const T* x_;
  const T* counts_;
  T* y_;
  const int threads_;
  const Routines<T>& r_;
  const std::vector<std::ptrdiff_t> offsets_;
  const bool is_whole_;  // whether a window is the whole plane
};

}  // namespace

template <class T>
std::unique_ptr<Step> convolution(const Windows& windows, const T* x, const T* weights, const T* bias, T* y,
                                  std::unique_ptr<Chain<T>> after, int threads, const Routines<T>& routines) {
  return std::make_unique<Convolution<T>>(windows, x, weights, bias, y, std::move(after), threads, routines);
}

template <class T>
std::unique_ptr<Step> pooling(const Windows& windows, const T* x, const T* counts, T* y, int threads,
                              const Routines<T>& routines) {
  return std::make_unique<Pooling<T>>(windows, x, counts, y, threads, routines);
}

#define RECURRA_STEPS(T)                                                                          \
  template std::unique_ptr<Step> convolution(const Windows&, const T*, const T*, const T*, T*,    \
                                             std::unique_ptr<Chain<T>>, int, const Routines<T>&); \
  template std::unique_ptr<Step> pooling(const Windows&, const T*, const T*, T*, int, const Routines<T>&);
RECURRA_STEPS(float)
RECURRA_STEPS(double)
#undef RECURRA_STEPS

}  // namespace recurra
