// The proof of memory on a GPU: words of 32 bytes, held as the eight little-endian numbers that they are in memory.
// Compiled behind kernels.cu, as one source with it.

__device__ __forceinline__ void load_word(const uint4 *words, u64 index, u32 word[8]) {
    uint4 low = words[2 * index], high = words[2 * index + 1];
    word[0] = low.x, word[1] = low.y, word[2] = low.z, word[3] = low.w;
    word[4] = high.x, word[5] = high.y, word[6] = high.z, word[7] = high.w;
}

__device__ __forceinline__ void store_digest(const u32 digest[8], uint4 *words, u64 index) {
    u32 word[8];
#pragma unroll
    for (int i = 0; i < 8; i++) word[i] = swap_bytes(digest[i]);
    words[2 * index] = make_uint4(word[0], word[1], word[2], word[3]);
    words[2 * index + 1] = make_uint4(word[4], word[5], word[6], word[7]);
}

// The word that 64 bits name as a fraction of the first `limit`.
__device__ __forceinline__ u64 fraction(u32 high, u32 low, u64 limit) { return __umul64hi((u64)high << 32 | low, limit); }

// The block of a byte and a word behind it.
__device__ __forceinline__ void prefixed_word(u32 byte, const u32 word[8], u32 w[16]) {
#pragma unroll
    for (int i = 0; i < 8; i++) {
        u32 bytes = swap_bytes(word[i]);
        w[i] = byte << 24 | bytes >> 8;
        byte = bytes & 0xff;
    }
    w[8] = byte << 24 | END;
#pragma unroll
    for (int i = 9; i < 15; i++) w[i] = 0;
    w[15] = 33 * 8;
}

// The state behind the block that every word's message begins with.
struct State {
    u32 words[8];
};

// Steps first_step, first_step + 1, … of a slice, one thread a lane; the slice's first step is a multiple of `steps`, and all
// slices before it are finished. The grid has exactly as many threads as there are lanes.
extern "C" __global__ void fill(State behind_prefix, u32 lanes, u32 first_step, u32 steps, uint4 *words) {
    u32 lane = blockIdx.x * blockDim.x + threadIdx.x;
    u64 finished = (u64)first_step * lanes;
    u32 previous[8] = {};
    if (first_step) load_word(words, finished - lanes + lane, previous);
    for (u32 step = first_step; step < first_step + steps; step++) {
        u32 state[8];
#pragma unroll
        for (int i = 0; i < 8; i++) state[i] = behind_prefix.words[i];
        // Five blocks of 16 numbers: two that are left over from before, a word, and the first six of another. The words are
        // `previous` and the eight that it refers to; its numbers turn by two a block, so that they have the same names in each.
        u32 left[2] = {lane, step}, numbers[8], w[16];
#pragma unroll
        for (int i = 0; i < 8; i++) numbers[i] = previous[i];
#pragma unroll 1
        for (int block = 0; block < 5; block++) {
            u32 middle[8] = {}, last[8] = {};
            if (block == 0) {
#pragma unroll
                for (int i = 0; i < 8; i++) middle[i] = previous[i];
            } else if (finished) {
                load_word(words, fraction(numbers[7], numbers[0], finished), middle);
            }
            if (block < 4 && finished) load_word(words, fraction(numbers[0], numbers[1], finished), last);
            w[0] = swap_bytes(left[0]);
            w[1] = swap_bytes(left[1]);
#pragma unroll
            for (int i = 0; i < 8; i++) w[2 + i] = swap_bytes(middle[i]);
#pragma unroll
            for (int i = 0; i < 6; i++) w[10 + i] = swap_bytes(last[i]);
            if (block == 4) {
                w[10] = 0x80000000;
                w[15] = (64 + 8 + 9 * 32) * 8;
            }
            left[0] = last[6];
            left[1] = last[7];
            u32 first = numbers[0], second = numbers[1];
#pragma unroll
            for (int i = 0; i < 6; i++) numbers[i] = numbers[i + 2];
            numbers[6] = first;
            numbers[7] = second;
            compress(state, w);
        }
        store_digest(state, words, finished + (u64)(step - first_step) * lanes + lane);
#pragma unroll
        for (int i = 0; i < 8; i++) previous[i] = swap_bytes(state[i]);
    }
}

const int STEPS = 4;

// Where walkers first, first + 1, … end, one thread a walker. `start` is "MRstep", the seed of the walks and two zero bytes,
// as big-endian words.
extern "C" __global__ void walks(Seed start, u32 first, u32 count, u64 word_count, const uint4 *words, uint4 *ends) {
    u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    u32 w[16], digest[8], walker = swap_bytes(first + at);
#pragma unroll
    for (int i = 0; i < 10; i++) w[i] = start.words[i];
    w[9] |= walker >> 16;
    w[10] = walker << 16 | 0x8000;
#pragma unroll
    for (int i = 11; i < 15; i++) w[i] = 0;
    w[15] = 42 * 8;
#pragma unroll 1
    for (int step = 0;; step++) {
        one_block(w, digest);
        if (step == STEPS) break;
        u32 mixed[8], read[8][8];
#pragma unroll
        for (int i = 0; i < 8; i++) mixed[i] = swap_bytes(digest[i]);
#pragma unroll
        for (int i = 0; i < 8; i++) load_word(words, fraction(mixed[i], mixed[(i + 1) % 8], word_count), read[i]);
#pragma unroll
        for (int i = 0; i < 8; i++) {
#pragma unroll
            for (int j = 0; j < 8; j += 2) {
                u64 number = (u64)(mixed[j + 1] ^ read[i][j + 1]) << 32 | (mixed[j] ^ read[i][j]);
                number *= 0x9e3779b97f4a7c15;
                mixed[j] = number >> 32;
                mixed[j + 1] = (u32)number;
            }
        }
        prefixed_word(2, mixed, w);
    }
    store_digest(digest, ends, at);
}

// The nodes of leaves that are words, one thread a leaf: a zero byte, then the word. Behind the words there are comes what
// pads a tree.
extern "C" __global__ void word_leaves(const uint4 *words, u32 *nodes, u32 word_count, u32 count) {
    u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    u32 word[8], w[16], digest[8] = {};
    if (at < word_count) {
        load_word(words, at, word);
        prefixed_word(0, word, w);
        one_block(w, digest);
    }
    put_node(digest, nodes + 6 * (u64)at);
}
