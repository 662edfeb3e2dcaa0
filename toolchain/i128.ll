; The 128-bit product that LLVM's BPF backend calls as __multi3, as a strong symbol.
; rustc returns i128 through a pointer and LLVM's own calls expect it in registers, so the Rust version in
; solana-compiler-builtins would write through an argument. Written in IR there is only one convention.
; Method: (a1*2^32 + a0) * (b1*2^32 + b0) for the low words, then the two cross products mod 2^64.
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"

define i128 @__multi3(i128 %a, i128 %b) {
entry:
  ; Words.
  %a.lo = trunc i128 %a to i64
  %a.shifted = lshr i128 %a, 64
  %a.hi = trunc i128 %a.shifted to i64
  %b.lo = trunc i128 %b to i64
  %b.shifted = lshr i128 %b, 64
  %b.hi = trunc i128 %b.shifted to i64

  ; Halves of the low words.
  %a0 = and i64 %a.lo, 4294967295
  %a1 = lshr i64 %a.lo, 32
  %b0 = and i64 %b.lo, 4294967295
  %b1 = lshr i64 %b.lo, 32

  ; t = a1*b0 + (a0*b0 >> 32) and u = a0*b1 + low(t): neither can overflow 64 bits.
  %p00 = mul i64 %a0, %b0
  %p00.hi = lshr i64 %p00, 32
  %p10 = mul i64 %a1, %b0
  %t = add i64 %p10, %p00.hi
  %t.lo = and i64 %t, 4294967295
  %t.hi = lshr i64 %t, 32
  %p01 = mul i64 %a0, %b1
  %u = add i64 %p01, %t.lo
  %u.hi = lshr i64 %u, 32

  ; Low word: low(u) above low(a0*b0).
  %u.up = shl i64 %u, 32
  %p00.lo = and i64 %p00, 4294967295
  %lo = or i64 %u.up, %p00.lo

  ; High word: a1*b1, the carries, and the cross products.
  %p11 = mul i64 %a1, %b1
  %h0 = add i64 %p11, %t.hi
  %h1 = add i64 %h0, %u.hi
  %cross.ab = mul i64 %a.lo, %b.hi
  %cross.ba = mul i64 %a.hi, %b.lo
  %h2 = add i64 %h1, %cross.ab
  %hi = add i64 %h2, %cross.ba

  %lo.wide = zext i64 %lo to i128
  %hi.wide = zext i64 %hi to i128
  %hi.up = shl i128 %hi.wide, 64
  %product = or i128 %hi.up, %lo.wide
  ret i128 %product
}
