// Times h = a * h + b over 1000 steps on one thread: as a loop, and as two scans in parallel over time.
// gcc -O3 -march=native -ffast-math -o /tmp/scan benchmarks/scan.c && /tmp/scan
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEPS = 1000, REPEATS = 60, METHODS = 3, BLOCKS = 32 };

static float *factors[2], *sums[2]; // of the scans

static void loop(const float *restrict a, const float *restrict b, float *restrict h, int width) {
    memcpy(h, b, sizeof(float) * width);
    for (int t = 1; t < STEPS; t++) {
        for (int i = 0; i < width; i++) {
            h[t * width + i] = a[t * width + i] * h[(t - 1) * width + i] + b[t * width + i];
        }
    }
}

// Blocks of steps one after the other, and then what enters each block.
static void blocks(const float *restrict a, const float *restrict b, float *restrict h, int width) {
    int length = (STEPS + BLOCKS - 1) / BLOCKS;
    float *product = factors[0];
    for (int first = 0; first < STEPS; first += length) {
        int last = first + length < STEPS ? first + length : STEPS;
        memcpy(h + first * width, b + first * width, sizeof(float) * width);
        memcpy(product + first * width, a + first * width, sizeof(float) * width);
        for (int t = first + 1; t < last; t++) {
            for (int i = 0; i < width; i++) {
                h[t * width + i] = a[t * width + i] * h[(t - 1) * width + i] + b[t * width + i];
                product[t * width + i] = a[t * width + i] * product[(t - 1) * width + i];
            }
        }
    }
    for (int first = length; first < STEPS; first += length) {
        int last = first + length < STEPS ? first + length : STEPS;
        for (int t = first; t < last; t++) {
            for (int i = 0; i < width; i++) {
                h[t * width + i] += product[t * width + i] * h[(first - 1) * width + i];
            }
        }
    }
}

// log2(STEPS) passes over all steps (Hillis & Steele 1986).
static void passes(const float *a, const float *b, float *h, int width) {
    float *p = factors[0], *s = sums[0], *next_p = factors[1], *next_s = sums[1];
    long count = (long)STEPS * width;
    memcpy(p, a, sizeof(float) * count);
    memcpy(s, b, sizeof(float) * count);
    for (int distance = 1; distance < STEPS; distance *= 2) {
        long begin = (long)distance * width;
        memcpy(next_p, p, sizeof(float) * begin);
        memcpy(next_s, s, sizeof(float) * begin);
        for (long k = begin; k < count; k++) {
            next_p[k] = p[k] * p[k - begin];
            next_s[k] = p[k] * s[k - begin] + s[k];
        }
        float *old_p = p, *old_s = s;
        p = next_p, s = next_s, next_p = old_p, next_s = old_s;
    }
    memcpy(h, s, sizeof(float) * count);
}

static double microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec * 1e-3;
}

int main(void) {
    void (*methods[METHODS])(const float *, const float *, float *, int) = {loop, blocks, passes};
    int widths[] = {1, 4, 16, 64, 256};
    for (int n = 0; n < 5; n++) {
        int width = widths[n];
        size_t bytes = sizeof(float) * STEPS * width;
        float *a = malloc(bytes), *b = malloc(bytes), *h = malloc(bytes), *expected = malloc(bytes);
        for (int k = 0; k < 2; k++) {
            factors[k] = malloc(bytes), sums[k] = malloc(bytes);
        }
        for (int k = 0; k < STEPS * width; k++) {
            a[k] = rand() % 1000 / 1000.0F, b[k] = rand() % 1000 / 1000.0F - 0.5F;
        }
        loop(a, b, expected, width);
        double best[METHODS] = {1e9, 1e9, 1e9};
        for (int repeat = 0; repeat < REPEATS; repeat++) {
            for (int m = 0; m < METHODS; m++) {
                double begin = microseconds();
                methods[m](a, b, h, width);
                double taken = microseconds() - begin;
                best[m] = taken < best[m] ? taken : best[m];
                for (int k = 0; k < STEPS * width; k++) {
                    if (h[k] - expected[k] > 1e-4F || expected[k] - h[k] > 1e-4F) {
                        return 1;
                    }
                }
            }
        }
        printf("H %4d  loop %6.1f us, blocks %6.1f us, passes %6.1f us\n", width, best[0], best[1], best[2]);
    }
    return 0;
}
