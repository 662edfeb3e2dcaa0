// The proof on a GPU: operands from a seed, their product, and its Merkle tree. `toolchain/ptx` compiles this for three
// generations of cards; the PTX beside this file is what is embedded, and the driver makes machine code of it.
//
// All sizes are those of the protocol: n is a power of two from 256 to 65,536, and a band has a multiple of 128 rows.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

// ---- SHA-256 (FIPS 180-4). Matrix blocks, leaves of C and inner nodes are messages of 49 bytes, one compression each ----

__device__ const u32 K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
__device__ const u32 INITIAL[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// The byte behind the message, where it stands in word 12, and the message's length in bits.
const u32 END = 0x00800000;
const u32 BITS = 49 * 8;

__device__ __forceinline__ u32 ror(u32 x, u32 by) { return __funnelshift_r(x, x, by); }
__device__ __forceinline__ u32 swap_bytes(u32 x) { return __byte_perm(x, 0, 0x0123); }

// Takes a block into the state; w is used up.
__device__ __forceinline__ void compress(u32 state[8], u32 w[16]) {
    u32 s[8];
#pragma unroll
    for (int i = 0; i < 8; i++) s[i] = state[i];
#pragma unroll
    for (int i = 0; i < 64; i++) {
        // The state's names turn by one each round, so that nothing is moved.
        u32 a = s[(64 - i) & 7], b = s[(65 - i) & 7], c = s[(66 - i) & 7], e = s[(68 - i) & 7], f = s[(69 - i) & 7], g = s[(70 - i) & 7];
        u32 t1 = s[(71 - i) & 7] + K[i] + w[i & 15] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & f) ^ (~e & g));
        s[(67 - i) & 7] += t1;
        s[(71 - i) & 7] = t1 + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        if (i < 48) {
            u32 w1 = w[(i + 1) & 15], w14 = w[(i + 14) & 15];
            w[i & 15] += w[(i + 9) & 15] + (ror(w1, 7) ^ ror(w1, 18) ^ (w1 >> 3)) + (ror(w14, 17) ^ ror(w14, 19) ^ (w14 >> 10));
        }
    }
#pragma unroll
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

// The digest of a message that, with its end and length, is one block; w is used up.
__device__ __forceinline__ void one_block(u32 w[16], u32 digest[8]) {
#pragma unroll
    for (int i = 0; i < 8; i++) digest[i] = INITIAL[i];
    compress(digest, w);
}

// The digest of the 49 bytes in w[0..13], their end included; w is used up.
__device__ __forceinline__ void sha256(u32 w[16], u32 digest[8]) {
    w[13] = 0;
    w[14] = 0;
    w[15] = BITS;
    one_block(w, digest);
}

// ---- Operands ----

// The first 40 bytes of every block's message: "MRmat\0\0\0" and the seed, as big-endian words.
struct Seed {
    u32 words[10];
};

// Block `block` of line `line`: 32 elements as int8, four to a word as they lie in memory.
__device__ __forceinline__ void operand_block(const Seed &seed, u32 operand, u32 line, u32 block, u32 elements[8]) {
    u32 w[16];
#pragma unroll
    for (int i = 0; i < 10; i++) w[i] = seed.words[i];
    line = swap_bytes(line);
    block = swap_bytes(block);
    w[10] = operand << 24 | line >> 8;
    w[11] = line << 24 | block >> 8;
    w[12] = block << 24 | END;
    sha256(w, elements);
#pragma unroll
    for (int i = 0; i < 8; i++) elements[i] = swap_bytes(elements[i]) ^ 0x80808080;
}

// Lines first_line, first_line + 1, … of an operand, 2^log_blocks blocks each, one thread a block. The grid has exactly as
// many threads as there are blocks.
extern "C" __global__ void operand_lines(Seed seed, u32 operand, u32 first_line, u32 log_blocks, uint4 *lines) {
    u64 at = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    u32 elements[8];
    operand_block(seed, operand, first_line + (u32)(at >> log_blocks), (u32)at & ((1u << log_blocks) - 1), elements);
    lines[2 * at] = make_uint4(elements[0], elements[1], elements[2], elements[3]);
    lines[2 * at + 1] = make_uint4(elements[4], elements[5], elements[6], elements[7]);
}

__device__ __forceinline__ int dot4(int a, int b, int sum) {
    asm("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

// Entries (row, first_col + blockIdx.x) of the product, a row of A being given: to open what was committed.
extern "C" __global__ void cells(Seed seed, u32 first_col, u32 n, const int4 *a, int *out) {
    __shared__ int sum;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    int mine = 0;
    for (u32 block = threadIdx.x; block < n / 32; block += blockDim.x) {
        u32 b[8];
        operand_block(seed, 1, first_col + blockIdx.x, block, b);
        int4 low = a[2 * block], high = a[2 * block + 1];
        mine = dot4(low.x, b[0], dot4(low.y, b[1], dot4(low.z, b[2], dot4(low.w, b[3], mine))));
        mine = dot4(high.x, b[4], dot4(high.y, b[5], dot4(high.z, b[6], dot4(high.w, b[7], mine))));
    }
    atomicAdd(&sum, mine);
    __syncthreads();
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// ---- The tree: nodes are the first 24 bytes of a digest ----

__device__ __forceinline__ void put_node(const u32 digest[8], u32 *node) {
#pragma unroll
    for (int i = 0; i < 6; i++) node[i] = swap_bytes(digest[i]);
}

// The nodes of leaves, 16 entries each, one thread a leaf: a zero byte, then three bytes an entry.
extern "C" __global__ void leaves(const int4 *c, u32 *nodes, u32 count) {
    u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    u32 w[16], digest[8], before = 0;
#pragma unroll
    for (int quad = 0; quad < 4; quad++) {
        int4 entries = c[4 * (u64)at + quad];
        u32 a = swap_bytes(entries.x) >> 8, b = swap_bytes(entries.y) >> 8, d = swap_bytes(entries.z) >> 8, e = swap_bytes(entries.w) >> 8;
        w[3 * quad] = before << 24 | a;
        w[3 * quad + 1] = b << 8 | d >> 16;
        w[3 * quad + 2] = d << 16 | e >> 8;
        before = e & 0xff;
    }
    w[12] = before << 24 | END;
    sha256(w, digest);
    put_node(digest, nodes + 6 * (u64)at);
}

// The level above `children`, one thread a parent: a byte of one, then both children.
extern "C" __global__ void parents(const u32 *children, u32 *nodes, u32 count) {
    u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    u32 w[16], digest[8], before = 1;
#pragma unroll
    for (int i = 0; i < 12; i++) {
        u32 word = swap_bytes(children[12 * (u64)at + i]);
        w[i] = before << 24 | word >> 8;
        before = word & 0xff;
    }
    w[12] = before << 24 | END;
    sha256(w, digest);
    put_node(digest, nodes + 6 * (u64)at);
}

// ---- The product ----

// A block of 256 threads computes TILE_ROWS × TILE_COLS entries. Operands pass through shared memory DEPTH elements of k at
// a time, STAGES of them under way.
const int TILE_ROWS = 128;
const int TILE_COLS = 256;
const int DEPTH = 64;
#if __CUDA_ARCH__ >= 800
const int STAGES = 4;
#elif __CUDA_ARCH__ >= 750
const int STAGES = 2;
#else
const int STAGES = 1;
#endif
const int STAGE_BYTES = (TILE_ROWS + TILE_COLS) * DEPTH;
// Neighbouring blocks compute a patch this many tiles high, so that they share operands in the cache; of a band that such
// patches do not fill, patches of fewer, a power of two.
const u32 PATCH = 8;

// Where 16 bytes of a line lie in a stage: lines are 64 bytes, and the four pieces of a line change places every other
// line, so that eight lines read at once touch all banks.
__device__ __forceinline__ u32 place(u32 line, u32 piece) { return line * DEPTH + (piece ^ (line >> 1 & 3)) * 16; }

__device__ __forceinline__ u32 shared_address(const void *p) { return (u32)__cvta_generic_to_shared(p); }

__device__ __forceinline__ void copy_16(u8 *to, const u8 *from) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from) : "memory");
#else
    *(uint4 *)to = *(const uint4 *)from;
#endif
}

// Starts the copy of elements k..k + DEPTH of the tile's rows of A and columns of B. What is behind n is not there to copy;
// the group is closed all the same, so that counting groups counts stages.
__device__ __forceinline__ void load_stage(u8 *stage, const u8 *a, const u8 *b, u32 k, u32 n) {
    if (k < n) {
#pragma unroll
        for (int i = 0; i < (TILE_ROWS + TILE_COLS) * (DEPTH / 16) / 256; i++) {
            u32 item = i * 256 + threadIdx.x, line = item / (DEPTH / 16), piece = item % (DEPTH / 16);
            const u8 *from = line < TILE_ROWS ? a + (u64)line * n : b + (u64)(line - TILE_ROWS) * n;
            copy_16(stage + place(line, piece), from + k + 16 * piece);
        }
    }
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

#if __CUDA_ARCH__ >= 750

// A warp computes 64 × 64 entries as 4 × 8 fragments of 16 × 8, whose layout the PTX manual defines for mma.m16n8k32.
typedef int Sums[4][8][4];

__device__ __forceinline__ void load_fragments(u32 address, u32 f[4]) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void multiply_fragments(int c[4], const u32 a[4], u32 b0, u32 b1) {
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    // The same fragment of four products of 8 × 8 × 16.
#define MULTIPLY_8(row, a_half, b_half) \
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};" \
                 : "+r"(c[2 * row]), "+r"(c[2 * row + 1]) \
                 : "r"(a[row + 2 * a_half]), "r"(b_half))
    MULTIPLY_8(0, 0, b0);
    MULTIPLY_8(0, 1, b1);
    MULTIPLY_8(1, 0, b0);
    MULTIPLY_8(1, 1, b1);
#endif
}

__device__ __forceinline__ void multiply_stage(const u8 *stage, Sums &sums) {
    u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    u32 row = warp / 4 * 64, col = TILE_ROWS + warp % 4 * 64;
#pragma unroll
    for (int half = 0; half < DEPTH / 32; half++) {
        u32 a[4][4], b[4][4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            // A's four 8 × 16 pieces of a fragment: upper and lower rows at the first 16 elements, then at the second.
            load_fragments(shared_address(stage + place(row + 16 * i + lane % 16, 2 * half + lane / 16)), a[i]);
            // B's for two fragments: first and second 16 elements of eight columns, then of the next eight.
            load_fragments(shared_address(stage + place(col + 16 * i + lane / 16 * 8 + lane % 8, 2 * half + lane / 8 % 2)), b[i]);
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int j = 0; j < 8; j++) multiply_fragments(sums[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
        }
    }
}

__device__ __forceinline__ void store(const Sums &sums, int *c, u32 n) {
    u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    c += (u64)(warp / 4 * 64 + lane / 4) * n + warp % 4 * 64 + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 8; j++) {
            *(int2 *)(c + (u64)(16 * i) * n + 8 * j) = make_int2(sums[i][j][0], sums[i][j][1]);
            *(int2 *)(c + (u64)(16 * i + 8) * n + 8 * j) = make_int2(sums[i][j][2], sums[i][j][3]);
        }
    }
}

#else

// Without tensor cores: a thread computes 8 × 16 entries, rows and columns 16 apart, four products at a time.
typedef int Sums[8][16];

__device__ __forceinline__ void multiply_stage(const u8 *stage, Sums &sums) {
    u32 row = threadIdx.x / 16, col = TILE_ROWS + threadIdx.x % 16;
#pragma unroll 1
    for (u32 quad = 0; quad < DEPTH / 4; quad++) {
        int a[8], b[16];
#pragma unroll
        for (int i = 0; i < 8; i++) a[i] = *(const int *)(stage + place(row + 16 * i, quad / 4) + quad % 4 * 4);
#pragma unroll
        for (int j = 0; j < 16; j++) b[j] = *(const int *)(stage + place(col + 16 * j, quad / 4) + quad % 4 * 4);
#pragma unroll
        for (int i = 0; i < 8; i++) {
#pragma unroll
            for (int j = 0; j < 16; j++) sums[i][j] = dot4(a[i], b[j], sums[i][j]);
        }
    }
}

__device__ __forceinline__ void store(const Sums &sums, int *c, u32 n) {
    c += (u64)(threadIdx.x / 16) * n + threadIdx.x % 16;
#pragma unroll
    for (int i = 0; i < 8; i++) {
#pragma unroll
        for (int j = 0; j < 16; j++) c[(u64)(16 * i) * n + 16 * j] = sums[i][j];
    }
}

#endif

// c = a·b for a band of rows: a by rows, b by columns, c by rows. One block a tile.
extern "C" __global__ void __launch_bounds__(256) multiply(const u8 *a, const u8 *b, int *c, u32 rows, u32 n) {
    extern __shared__ __align__(128) u8 stages[];
    u32 tall = rows / TILE_ROWS, wide = n / TILE_COLS, high = min(PATCH, tall & -tall);
    u32 row = (blockIdx.x / (high * wide) * high + blockIdx.x % high) * TILE_ROWS;
    u32 col = blockIdx.x % (high * wide) / high * TILE_COLS;
    a += (u64)row * n;
    b += (u64)col * n;
    Sums sums = {};
    for (int i = 0; i < STAGES - 1; i++) load_stage(stages + i * STAGE_BYTES, a, b, i * DEPTH, n);
    for (u32 k = 0, i = 0; k < n; k += DEPTH, i++) {
#if __CUDA_ARCH__ >= 800
        // All but the newest STAGES − 2 stages have arrived: this one has.
        asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
        __syncthreads();
        load_stage(stages + (i + STAGES - 1) % STAGES * STAGE_BYTES, a, b, k + (STAGES - 1) * DEPTH, n);
#elif __CUDA_ARCH__ >= 750
        __syncthreads();
        load_stage(stages + (i + 1) % STAGES * STAGE_BYTES, a, b, k + DEPTH, n);
#else
        __syncthreads();
        load_stage(stages, a, b, k, n);
        __syncthreads();
#endif
        multiply_stage(stages + i % STAGES * STAGE_BYTES, sums);
    }
    store(sums, c + (u64)row * n + col, n);
}
