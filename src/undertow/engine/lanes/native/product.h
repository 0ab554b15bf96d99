// One matrix product over lanes: forward pass, weight gradient and delta are each
// a call of it. Tiles of 4 x 3 sums stay in registers, of 8 x 3 where there are 32; what is left
// over is dealt out evenly (10 columns are 3 + 3 + 2 + 2), because a tile of one column waits for
// its own additions.
//
// Where a register holds several numbers, they are neighbours in a row of the result where the rows
// of `b` have neighbours (forward pass, delta), and neighbours along the sum where those of `a` and
// the columns of `b` have them (weight gradient).
#pragma once

#include "lane.h"

// Element (m, n) is at[m * row + n * column].
struct Matrix {
    const Lane* at;
    std::ptrdiff_t row, column;
};

struct Out {
    Lane* at;
    std::ptrdiff_t row;
};

constexpr int TALL = NEIGHBOURS > 1 ? 8 : 4;

enum Packing { ROW, SUM };

// out[m, n] = start[m] + sum over k of a[m, k] b[k, n], of ROWS rows and COLUMNS vectors. Inlined in
// `tiles`, and that nowhere: the compiler's own choice was a tenth slower.
template <Packing packing, class Vector, int ROWS, int COLUMNS>
static inline __attribute__((always_inline)) void tile(Matrix a, Matrix b, const Lane* start, Out out, int inner) {
    constexpr int HELD = sizeof(Vector) / sizeof(Lane), ALONG = packing == SUM ? HELD : 1;
    std::ptrdiff_t apart = packing == ROW ? HELD : b.column;
    Vector sums[ROWS][COLUMNS];
#pragma GCC unroll 8
    for (int m = 0; m < ROWS; ++m) {
        Vector from = start ? repeated<Vector>(start[m]) : Vector{};
#pragma GCC unroll 3
        for (int n = 0; n < COLUMNS; ++n) sums[m][n] = from;
    }
    int k = 0;
    for (; k + ALONG <= inner; k += ALONG) {
        Vector right[COLUMNS];
#pragma GCC unroll 3
        for (int n = 0; n < COLUMNS; ++n) right[n] = get<Vector>(b.at + n * apart);
#pragma GCC unroll 8
        for (int m = 0; m < ROWS; ++m) {
            Vector left = packing == ROW ? repeated<Vector>(a.at[m * a.row]) : get<Vector>(a.at + m * a.row);
#pragma GCC unroll 3
            for (int n = 0; n < COLUMNS; ++n) sums[m][n] += left * right[n];
        }
        a.at += ALONG * a.column;
        b.at += ALONG * b.row;
    }
#pragma GCC unroll 8
    for (int m = 0; m < ROWS; ++m) {
#pragma GCC unroll 3
        for (int n = 0; n < COLUMNS; ++n) {
            Lane* to = out.at + m * out.row + n * (packing == ROW ? HELD : 1);
            if constexpr (packing == ROW) {
                put(to, sums[m][n]);
            } else {
                Lane sum = folded(sums[m][n]);
                if (k < inner) sum += a.at[m * a.row] * b.at[n * b.column];  // an odd one
                *to = sum;
            }
        }
    }
}

template <Packing packing, class Vector, int ROWS>
static __attribute__((noinline)) void tiles(Matrix a, Matrix b, const Lane* start, Out out, int columns, int inner) {
    constexpr int HELD = packing == ROW ? sizeof(Vector) / sizeof(Lane) : 1;
    int vectors = columns / HELD;
    for (int parts = (vectors + 2) / 3, n = 0; parts > 0; --parts) {
        int some = (vectors - n + parts - 1) / parts;
        Matrix here{b.at + n * HELD * b.column, b.row, b.column};
        Out to{out.at + n * HELD, out.row};
        if (some == 3)
            tile<packing, Vector, ROWS, 3>(a, here, start, to, inner);
        else if (some == 2)
            tile<packing, Vector, ROWS, 2>(a, here, start, to, inner);
        else
            tile<packing, Vector, ROWS, 1>(a, here, start, to, inner);
        n += some;
    }
    if (HELD > 1 && columns % HELD) {
        int last = columns - 1;
        Matrix here{b.at + last * b.column, b.row, b.column};
        tile<packing, Lane, ROWS, 1>(a, here, start, {out.at + last, out.row}, inner);
    }
}

// `rows` of them, known to the compiler: at most TALL.
template <Packing packing, class Vector, int ROWS = TALL>
static inline void tiles_of(int rows, Matrix a, Matrix b, const Lane* start, Out out, int columns, int inner) {
    if (rows == ROWS)
        tiles<packing, Vector, ROWS>(a, b, start, out, columns, inner);
    else if constexpr (ROWS > 1)
        tiles_of<packing, Vector, ROWS - 1>(rows, a, b, start, out, columns, inner);
}

template <Packing packing, class Vector>
static void packed_product(Matrix a, Matrix b, const Lane* start, Lane* out, int rows, int columns, int inner) {
    for (int parts = (rows + TALL - 1) / TALL, m = 0; parts > 0; --parts) {
        int some = (rows - m + parts - 1) / parts;
        Matrix here{a.at + m * a.row, a.row, a.column};
        Out to{out + (std::ptrdiff_t)m * columns, columns};
        tiles_of<packing, Vector>(some, here, b, start ? start + m : nullptr, to, columns, inner);
        m += some;
    }
}

// `start` may be null, for 0. Where the rows of `b` have no neighbours, its columns have them, and so
// have the rows of `a`.
static void product(Matrix a, Matrix b, const Lane* start, Lane* out, int rows, int columns, int inner) {
    if (NEIGHBOURS > 1 && b.column == 1)
        packed_product<ROW, Several>(a, b, start, out, rows, columns, inner);
    else
        packed_product<SUM, Several>(a, b, start, out, rows, columns, inner);
}
