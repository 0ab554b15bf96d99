// One matrix product over lanes, of any strides: forward pass, weight gradient and delta are each
// a call of it. Tiles of 4 x 3 sums stay in registers; what is left over is dealt out evenly (10
// columns are 3 + 3 + 2 + 2), because a tile of one column waits for its own additions.
#pragma once

#include <cstddef>

#include "lane.h"

// Element (m, n) is at[m * row + n * column].
struct Matrix {
    const Lane* at;
    std::ptrdiff_t row, column;
};

template <int ROWS, int COLUMNS>
static inline void tile(Matrix a, Matrix b, const Lane* start, Lane* out, std::ptrdiff_t row, int inner) {
    Lane sums[ROWS][COLUMNS];
#pragma GCC unroll 4
    for (int m = 0; m < ROWS; ++m) {
#pragma GCC unroll 3
        for (int n = 0; n < COLUMNS; ++n) sums[m][n] = start ? start[m] : all(0.0f);
    }
    for (int k = 0; k < inner; ++k) {
        Lane right[COLUMNS];
#pragma GCC unroll 3
        for (int n = 0; n < COLUMNS; ++n) right[n] = b.at[n * b.column];
#pragma GCC unroll 4
        for (int m = 0; m < ROWS; ++m) {
            Lane left = a.at[m * a.row];
#pragma GCC unroll 3
            for (int n = 0; n < COLUMNS; ++n) sums[m][n] += left * right[n];
        }
        a.at += a.column;
        b.at += b.row;
    }
#pragma GCC unroll 4
    for (int m = 0; m < ROWS; ++m) {
#pragma GCC unroll 3
        for (int n = 0; n < COLUMNS; ++n) out[m * row + n] = sums[m][n];
    }
}

template <int ROWS>
static void tiles(Matrix a, Matrix b, const Lane* start, Lane* out, std::ptrdiff_t row, int columns, int inner) {
    for (int parts = (columns + 2) / 3, n = 0; parts > 0; --parts) {
        int some = (columns - n + parts - 1) / parts;
        Matrix here{b.at + n * b.column, b.row, b.column};
        if (some == 3)
            tile<ROWS, 3>(a, here, start, out + n, row, inner);
        else if (some == 2)
            tile<ROWS, 2>(a, here, start, out + n, row, inner);
        else
            tile<ROWS, 1>(a, here, start, out + n, row, inner);
        n += some;
    }
}

// out[m, n] = start[m] + sum over k of a[m, k] b[k, n]; `start` may be null, for 0.
static void product(Matrix a, Matrix b, const Lane* start, Lane* out, int rows, int columns, int inner) {
    for (int parts = (rows + 3) / 4, m = 0; parts > 0; --parts) {
        int some = (rows - m + parts - 1) / parts;
        Matrix here{a.at + m * a.row, a.row, a.column};
        const Lane* from = start ? start + m : nullptr;
        Lane* to = out + (std::ptrdiff_t)m * columns;
        if (some == 4)
            tiles<4>(here, b, from, to, columns, columns, inner);
        else if (some == 3)
            tiles<3>(here, b, from, to, columns, columns, inner);
        else if (some == 2)
            tiles<2>(here, b, from, to, columns, columns, inner);
        else
            tiles<1>(here, b, from, to, columns, columns, inner);
        m += some;
    }
}
