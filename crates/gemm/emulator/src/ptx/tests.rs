//! The machine itself: each instruction against the manual's words, and each fault that it has to find.

use super::{alu, launch, Arg, Global, Module, Result};

/// The result of an instruction in every lane.
fn compute(name: &str, sources: &[u64]) -> u64 {
    let (count, alu) = alu::find(name).unwrap();
    assert_eq!(count, sources.len(), "{name}");
    let lanes: [alu::Lanes; 4] = std::array::from_fn(|i| [sources.get(i).copied().unwrap_or(alu::UNSPECIFIED); 32]);
    let result = alu(lanes.each_ref());
    assert_eq!(result, [result[0]; 32]);
    result[0]
}

/// Runs one block. %r0 is the thread's number, %rd0 points to 16 bytes of its own to write, %rd1 to `input`, %rd2 to 1,024
/// bytes of shared memory, and %rd3 to the thread's word in it. Gives what was written.
fn run(threads: u32, input: &[u32], body: &str) -> Result<Vec<u32>> {
    let text = format!(
        ".target sm_80\n.extern .shared .align 128 .b8 stages[];\n\
         .visible .entry test(\n.param .u64 test_param_0,\n.param .u64 test_param_1\n)\n{{\n\
         .reg .pred %p<4>;\n.reg .b32 %r<32>;\n.reg .b64 %rd<16>;\n\
         ld.param.u64 %rd0, [test_param_0];\nld.param.u64 %rd1, [test_param_1];\nmov.u32 %r0, %tid.x;\n\
         mul.wide.u32 %rd4, %r0, 16;\nadd.s64 %rd0, %rd0, %rd4;\n\
         mov.u64 %rd2, stages;\nmul.wide.u32 %rd4, %r0, 4;\nadd.s64 %rd3, %rd2, %rd4;\n{body}\nret;\n}}"
    );
    let module = Module::parse(&text)?;
    let mut memory = Global::default();
    let input = memory.upload(&input.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
    let len = 16 * threads as usize;
    let output = memory.alloc(len);
    launch(module.kernel("test")?, &mut memory, 0..1, threads, 1024, &[Arg::Pointer(output), Arg::Pointer(input)])?;
    let written = memory.download(output, len)?;
    Ok(written.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

/// Bytes of no pattern.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

#[test]
fn registers_are_computed_as_the_manual_says() {
    const TOP: u64 = 0xffff_ffff_0000_0000;
    for (name, sources, expected) in [
        ("mov.u32", &[TOP | 5][..], 5),
        ("mov.u64", &[TOP | 5], TOP | 5),
        ("cvt.u64.u32", &[TOP | 0x8000_0000], 0x8000_0000),
        ("cvt.u32.u64", &[TOP | 7], 7),
        ("cvta.to.global.u64", &[TOP | 7], TOP | 7),
        ("add.s32", &[0xffff_ffff, 2], 1),
        ("add.s64", &[0xffff_ffff, 2], 0x1_0000_0001),
        ("sub.s32", &[1, 2], 0xffff_ffff),
        ("sub.s64", &[1, 2], u64::MAX),
        ("neg.s32", &[3], 0xffff_fffd),
        ("mul.lo.s32", &[0x1_0001, 0x1_0001], 0x2_0001),
        ("mul.lo.s64", &[1 << 40, 1 << 20], 1 << 60),
        ("mul.wide.u32", &[TOP | 0xffff_ffff, 0xffff_ffff], 0xffff_fffe_0000_0001),
        ("mul.hi.u64", &[u64::MAX, u64::MAX], u64::MAX - 1),
        ("mul.hi.u64", &[TOP, 3], 2),
        ("mad.lo.s32", &[0x1_0001, 0x1_0001, 0xffff_ffff], 0x2_0000),
        ("div.u32", &[0xffff_ffff, 16], 0x0fff_ffff),
        ("min.u32", &[0xffff_ffff, 3], 3),
        ("and.b32", &[0b1100, 0b1010], 0b1000),
        ("or.b32", &[0b1100, 0b1010], 0b1110),
        ("xor.b32", &[0b1100, 0b1010], 0b0110),
        ("not.b32", &[TOP | 1], 0xffff_fffe),
        ("shl.b32", &[0x8000_0001, 1], 2),
        ("shl.b32", &[1, 32], 0),
        ("shl.b32", &[1, 0xffff_ffff], 0),
        ("shl.b64", &[0x8000_0001, 1], 0x1_0000_0002),
        ("shl.b64", &[1, 64], 0),
        ("shr.u32", &[TOP | 0x8000_0000, 31], 1),
        ("shr.u32", &[0x8000_0000, 32], 0),
        ("shr.u64", &[1 << 63, 62], 2),
        ("shr.u64", &[1 << 63, 64], 0),
        ("shf.r.wrap.b32", &[0x1234_5678, 0x9abc_def0, 8], 0xf012_3456),
        ("shf.r.wrap.b32", &[0x1234_5678, 0x9abc_def0, 32], 0x1234_5678),
        ("prmt.b32", &[0x3322_1100, 0x7766_5544, 0x0123], 0x0011_2233),
        ("prmt.b32", &[0x3322_1100, 0x7766_5544, 0x7250], 0x7722_5500),
        ("prmt.b32", &[0x8022_1100, 0, 0xb8b0], 0xff00_ff00),
        ("bfe.u32", &[0xabcd_1234, 4, 8], 0x23),
        ("bfe.u32", &[0xabcd_1234, 28, 8], 0xa),
        ("bfe.u32", &[0xabcd_1234, 0, 32], 0xabcd_1234),
        ("bfi.b32", &[0xff, 0, 6, 2], 0xc0),
        ("bfi.b32", &[0xffff_fff1, 0x3f, 6, 26], 0xffff_fc7f),
        ("bfi.b64", &[TOP | 0x1234_5678, TOP | 7, 32, 32], 0x1234_5678_0000_0007),
        ("bfi.b64", &[0xff, u64::MAX, 60, 8], u64::MAX),
        ("bfi.b64", &[0, 5, 0, 64], 0),
        ("bfi.b64", &[0, 5, 64, 64], 5),
        ("bfi.b64", &[1, 5, 0, 0], 5),
        ("selp.b32", &[TOP | 1, 2, 1], 1),
        ("selp.b32", &[TOP | 1, TOP | 2, 0], 2),
        ("selp.b64", &[TOP, 2, 1], TOP),
        ("selp.b64", &[TOP, 2, 0], 2),
        ("setp.eq.s32", &[TOP | 1, 1], 1),
        ("setp.eq.s64", &[TOP | 1, 1], 0),
        ("setp.eq.s64", &[TOP, TOP], 1),
        ("setp.ne.s32", &[TOP | 1, 1], 0),
        ("setp.lt.u32", &[3, 0xffff_ffff], 1),
        ("setp.lt.u32", &[3, 3], 0),
        ("setp.le.u32", &[3, 3], 1),
        ("setp.le.u32", &[0xffff_ffff, 3], 0),
        ("setp.ge.u32", &[3, 3], 1),
        ("setp.gt.u32", &[3, 3], 0),
        ("setp.gt.u32", &[0xffff_ffff, 3], 1),
        ("or.pred", &[0, 1], 1),
        ("or.pred", &[0, 0], 0),
        ("dp4a.s32.s32", &[0x8080_8080, 0x8080_8080, 1], 65_537),
        ("dp4a.s32.s32", &[0x0403_02ff, 0x0100_007f, 0], (4 - 127_i32) as u32 as u64),
    ] {
        assert_eq!(compute(name, sources), expected, "{name} of {sources:x?}");
    }
}

#[test]
fn threads_that_part_come_together_again() {
    // The first odd[i] numbers added up, where the even threads take another way.
    let body = "and.b32 %r2, %r0, 1;\nsetp.eq.s32 %p0, %r2, 0;\nmov.u32 %r4, 0;\n@%p0 bra EVEN;\n\
        mov.u32 %r3, %r0;\nLOOP:\nadd.s32 %r4, %r4, %r3;\nadd.s32 %r3, %r3, -1;\nsetp.ne.s32 %p1, %r3, 0;\n\
        @%p1 bra LOOP;\nbra.uni JOIN;\nEVEN:\nmov.u32 %r4, 1000;\nJOIN:\nst.shared.u32 [%rd3], %r4;\n\
        mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r5, %r6}, {%r4}, {%r4}, {%r4, %r4};\n\
        bar.sync 0;\nld.shared.u32 %r7, [%rd2+12];\nst.global.v4.u32 [%rd0], {%r4, %r7, %r4, %r4};";
    let written = run(32, &[], body).unwrap();
    for (thread, words) in written.as_chunks::<4>().0.iter().enumerate() {
        let expected = if thread % 2 == 0 { 1000 } else { thread * (thread + 1) / 2 };
        assert_eq!(words[..2], [expected as u32, 6]);
    }
}

#[test]
fn a_warp_multiplies_fragments_as_the_manual_lays_them_out() {
    // Rows, k, registers of A, B and C.
    for (rows, depth, [a_regs, b_regs, c_regs], instruction) in [
        (8, 16, [1, 1, 2], "m8n8k16.row.col.s32.s8.s8.s32 {%r20, %r21}, {%r10}, {%r14}, {%r16, %r17};"),
        (
            16,
            32,
            [4, 2, 4],
            "m16n8k32.row.col.s32.s8.s8.s32 {%r20, %r21, %r22, %r23}, {%r10, %r11, %r12, %r13}, {%r14, %r15}, \
             {%r16, %r17, %r18, %r19};",
        ),
    ] {
        let (mut a, b, c) = (noise(rows * depth), noise(8 * depth), noise(rows * 8));
        a[..depth].fill(0x80);
        let mut input = vec![];
        for lane in 0..32 {
            let (group, place) = (lane / 4, lane % 4);
            let word =
                |of: &[u8], row: usize, k: usize| u32::from_le_bytes(of[row * depth + k..][..4].try_into().unwrap());
            for i in 0..4 {
                let row = if i == 0 || i == 2 { group } else { group + 8 };
                let k = 4 * place + if i < 2 { 0 } else { 16 };
                input.push(if i < a_regs { word(&a, row, k) } else { 0 });
            }
            for i in 0..2 {
                input.push(if i < b_regs { word(&b, group, 4 * place + 16 * i) } else { 0 });
            }
            for i in 0..4 {
                let row = if i < 2 { group } else { group + 8 };
                input.push(if i < c_regs { c[row * 8 + 2 * place + i % 2].into() } else { 0 });
            }
            input.extend([0, 0]);
        }
        let body = format!(
            "mul.wide.u32 %rd5, %r0, 48;\nadd.s64 %rd5, %rd5, %rd1;\n\
             ld.global.v4.u32 {{%r10, %r11, %r12, %r13}}, [%rd5];\nld.global.v4.u32 {{%r14, %r15, %r16, %r17}}, [%rd5+16];\n\
             ld.global.v4.u32 {{%r18, %r19, %r8, %r9}}, [%rd5+32];\nmov.u32 %r22, 0;\nmov.u32 %r23, 0;\n\
             mma.sync.aligned.{instruction}\nst.global.v4.u32 [%rd0], {{%r20, %r21, %r22, %r23}};"
        );
        let written = run(32, &input, &body).unwrap();
        for row in 0..rows {
            for col in 0..8 {
                let lane = row % 8 * 4 + col / 2;
                let sum =
                    (0..depth).map(|k| a[row * depth + k] as i8 as i32 * b[col * depth + k] as i8 as i32).sum::<i32>();
                let sum = sum + i32::from(c[row * 8 + col]);
                assert_eq!(written[4 * lane + 2 * (row / 8) + col % 2] as i32, sum, "row {row}, column {col}");
            }
        }
    }
}

#[test]
fn a_warp_loads_four_matrices_whose_rows_the_lanes_name() {
    // Row r of matrix m is 16 bytes at 16·(8m + r), and lane 8m + r names row (r + 1) % 8 of matrix 3 − m.
    let body = "mov.u32 %r2, %r0;\nshl.b32 %r3, %r0, 2;\nst.shared.u32 [%rd3], %r2;\n\
        add.s32 %r2, %r0, 32;\nst.shared.u32 [%rd3+128], %r2;\nadd.s32 %r2, %r0, 64;\nst.shared.u32 [%rd3+256], %r2;\n\
        add.s32 %r2, %r0, 96;\nst.shared.u32 [%rd3+384], %r2;\nbar.sync 0;\n\
        add.s32 %r4, %r0, 1;\nand.b32 %r4, %r4, 7;\nshl.b32 %r4, %r4, 4;\n\
        shr.u32 %r5, %r0, 3;\nxor.b32 %r5, %r5, 3;\nshl.b32 %r5, %r5, 7;\nadd.s32 %r4, %r4, %r5;\n\
        cvt.u32.u64 %r6, %rd2;\nadd.s32 %r4, %r4, %r6;\n\
        ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r7, %r8, %r9, %r10}, [%r4];\n\
        st.global.v4.u32 [%rd0], {%r7, %r8, %r9, %r10};";
    let written = run(32, &[], body).unwrap();
    for lane in 0..32 {
        for matrix in 0..4 {
            let expected = 32 * (3 - matrix) + (lane / 4 + 1) % 8 * 4 + lane % 4;
            assert_eq!(written[4 * lane + matrix], expected as u32);
        }
    }
}

const WRITE: &str = "st.global.v4.u32 [%rd0], {%r0, %r0, %r0, %r0};";
/// 16 bytes to shared memory, for thread 0 only of one.
const COPY: &str = "cvt.u32.u64 %r2, %rd2;\ncp.async.cg.shared.global [%r2], [%rd1], 16;\n";

#[test]
fn copies_arrive_with_their_group() {
    let wait = |commands: &str| {
        let body = format!("{COPY}cp.async.commit_group;\n{commands}ld.shared.u32 %r0, [%rd2+4];\n{WRITE}");
        run(1, &[5, 6, 7, 8], &body)
    };
    assert_eq!(wait("cp.async.wait_group 0;\n").unwrap(), [6; 4]);
    assert_eq!(wait("cp.async.commit_group;\ncp.async.wait_group 1;\n").unwrap(), [6; 4]);
    for too_early in ["", "cp.async.wait_group 1;\n", "cp.async.commit_group;\ncp.async.wait_group 2;\n"] {
        assert!(wait(too_early).unwrap_err().contains("nobody has waited"));
    }
}

#[test]
fn what_a_card_would_do_wrong_now_and_then_is_always_found() {
    let own = "st.shared.u32 [%rd3], %r0;\n";
    let next = "ld.shared.u32 %r2, [%rd2];\n";
    for (threads, fault, body) in [
        (32, "was written by another thread, without a barrier", format!("{own}{next}{WRITE}")),
        (32, "was written by another thread, without a barrier", format!("st.shared.u32 [%rd2], %r0;\n{WRITE}")),
        (64, "was read by another thread, without a barrier", format!("{own}bar.sync 0;\n{next}{own}{WRITE}")),
        (2, "was written by another thread", "st.shared.u32 [%rd2], 0;\natom.shared.add.u32 %r2, [%rd2], %r0;".into()),
        (1, "read and was never written", format!("{next}{WRITE}")),
        (1, "added to and was never written", "atom.shared.add.u32 %r2, [%rd2], %r0;".into()),
        (1, "outside 1024 bytes of shared memory", "ld.shared.u32 %r2, [%rd2+1024];".into()),
        (1, "outside 1024 bytes of shared memory", "ld.shared.u32 %r2, [%rd2+-4];".into()),
        (1, "not a multiple", "st.shared.v4.u32 [%rd2+8], {%r0, %r0, %r0, %r0};".into()),
        (1, "not a multiple", "ld.global.u32 %r2, [%rd1+2];".into()),
        (1, "byte 16 of an allocation of 16", "ld.global.u32 %r2, [%rd1+16];".into()),
        (1, "is in no allocation", "ld.global.u32 %r2, [%rd1+-4];".into()),
        (1, "is in no allocation", "cvt.u32.u64 %r2, %rd1;\ncvt.u64.u32 %rd5, %r2;\nld.global.u32 %r2, [%rd5];".into()),
        (1, "is read and was never written", "ld.global.u32 %r2, [%rd0];".into()),
        (1, "is read in the launch that writes it", format!("{WRITE}ld.global.u32 %r2, [%rd0];")),
        (1, "is written twice in one launch", format!("{WRITE}{WRITE}")),
        (2, "left the word at byte 8 as it was", "st.global.v2.u32 [%rd0], {%r0, %r0};".into()),
        (64, "does not come to", format!("setp.lt.u32 %p0, %r0, 33;\n@%p0 bra ON;\nbar.sync 0;\nON:\n{WRITE}")),
        (64, "does not come to", "setp.lt.u32 %p0, %r0, 33;\n@%p0 bra ON;\nbar.sync 0;\nON:\nbar.sync 0;".into()),
        (1, "does not end", "ON:\nbra ON;".into()),
        (1, "ends before its copies", format!("{COPY}cp.async.commit_group;")),
        (1, "ends before its copies", COPY.into()),
        (1, "nobody has waited", format!("{COPY}{COPY}")),
        (1, "nobody has waited", format!("{COPY}cp.async.wait_group 0;\nld.shared.u32 %r3, [%rd2];")),
        (2, "nobody has waited", format!("{COPY}cp.async.commit_group;\ncp.async.wait_group 0;")),
        (31, "without the others", "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, %r7}, [%rd2];".into()),
        (32, "not in different banks", "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, %r7}, [%rd2];".into()),
        (32, "no multiple of 16", "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, %r7}, [%rd2+4];".into()),
        (
            32,
            "without the others",
            "setp.lt.u32 %p0, %r0, 9;\n@%p0 bra ON;\n\
             mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r2, %r3}, {%r0}, {%r0}, {%r0, %r0};\nON:"
                .into(),
        ),
        (1025, "1025 threads a block", WRITE.into()),
    ] {
        let body = body.replace(";st", ";\nst").replace(";ld", ";\nld").replace(";cv", ";\ncv");
        let said = run(threads, &[1, 2, 3, 4], &body).expect_err(fault);
        assert!(said.contains(fault), "{said}, not {fault}:\n{body}");
    }
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    for line in [
        "add.u32 %r2, %r0, %r0;",
        "add.sat.s32 %r2, %r0, %r0;",
        "ld.local.u32 %r2, [%rd2];",
        "ld.volatile.shared.u32 %r2, [%rd2];",
        "ld.global.nc.u32 %r2, [%rd1];",
        "ld.global.v3.u32 {%r2, %r3, %r4}, [%rd1];",
        "st.shared.u8 [%rd2], %r0;",
        "atom.global.add.u32 %r2, [%rd1], %r0;",
        "bar.sync 1;",
        "bar.warp.sync 0xffffffff;",
        "@%p0 add.s32 %r2, %r0, %r0;",
        "add.s32 %r2, %r0;",
        "cp.async.ca.shared.global [%r2], [%rd1], 16;",
        "cp.async.cg.shared.global [%r2], [%rd1], 8;",
        "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r2, %r3, %r4, %r5}, [%r6];",
        "mma.sync.aligned.m16n8k32.row.col.satfinite.s32.s8.s8.s32 {%r2, %r3}, {%r2}, {%r2}, {%r2, %r3};",
        "mov.u32 %r2, %laneid;",
        "mov.u32 %r2, %r32;",
        "mov.u32 %r2, 0f3F800000;",
        "mov.u64 %rd5, K;",
        "ld.param.u32 %r2, [test_param_2];",
        "ld.param.u64 %rd5, [test_param_1+4];",
        "bra NOWHERE;",
        ".local .align 4 .b8 depot[16];",
    ] {
        // Where it is read, before anything runs.
        assert!(run(1, &[], line).is_err_and(|said| said.starts_with("line ")), "{line}");
    }
}
