/**
 * MMX, SSE to SSE4.2 and what shares their opcodes, by name: none is executed. SDM vol. 2, appendix A, tables A-3 to
 * A line is: opcode bytes (a range gives one name each), operands, then the names without prefix and with
 * 66, F3, F2; "-" where the manual defines nothing. "M:" and "R:" in front of the operands limit the form.
 */
import { invalid, nop } from "../exec/system.ts";
import { fxrstor, fxsave } from "../exec/x87-control.ts";
import { always, type Row, row } from "../row.ts";

const LINES = `
0f10 Vx,Wx movups movupd movss movsd
0f11 Wx,Vx movups movupd movss movsd
0f12 M:Vx,Wx movlps movlpd movsldup movddup
0f12 R:Vx,Wx movhlps - movsldup movddup
0f13 M:Wx,Vx movlps movlpd - -
0f14 Vx,Wx unpcklps unpcklpd - -
0f15 Vx,Wx unpckhps unpckhpd - -
0f16 M:Vx,Wx movhps movhpd movshdup -
0f16 R:Vx,Wx movlhps - movshdup -
0f17 M:Wx,Vx movhps movhpd - -
0f28 Vx,Wx movaps movapd - -
0f29 Wx,Vx movaps movapd - -
0f2a Vx,Qq cvtpi2ps cvtpi2pd - -
0f2a Vx,Ed - - cvtsi2ss cvtsi2sd
0f2b M:Wx,Vx movntps movntpd - -
0f2c Pq,Wx cvttps2pi cvttpd2pi - -
0f2c Gd,Wx - - cvttss2si cvttsd2si
0f2d Pq,Wx cvtps2pi cvtpd2pi - -
0f2d Gd,Wx - - cvtss2si cvtsd2si
0f2e Vx,Wx ucomiss ucomisd - -
0f2f Vx,Wx comiss comisd - -
0f50 R:Gd,Ux movmskps movmskpd - -
0f51 Vx,Wx sqrtps sqrtpd sqrtss sqrtsd
0f52 Vx,Wx rsqrtps - rsqrtss -
0f53 Vx,Wx rcpps - rcpss -
0f54 Vx,Wx andps andpd - -
0f55 Vx,Wx andnps andnpd - -
0f56 Vx,Wx orps orpd - -
0f57 Vx,Wx xorps xorpd - -
0f58 Vx,Wx addps addpd addss addsd
0f59 Vx,Wx mulps mulpd mulss mulsd
0f5a Vx,Wx cvtps2pd cvtpd2ps cvtss2sd cvtsd2ss
0f5b Vx,Wx cvtdq2ps cvtps2dq cvttps2dq -
0f5c Vx,Wx subps subpd subss subsd
0f5d Vx,Wx minps minpd minss minsd
0f5e Vx,Wx divps divpd divss divsd
0f5f Vx,Wx maxps maxpd maxss maxsd
0f6c Vx,Wx - punpcklqdq - -
0f6d Vx,Wx - punpckhqdq - -
0f6e Pq,Ed movd - - -
0f6e Vx,Ed - movd - -
0f6f Pq,Qq movq - - -
0f6f Vx,Wx - movdqa movdqu -
0f70 Pq,Qq,Ib pshufw - - -
0f70 Vx,Wx,Ib - pshufd pshufhw pshuflw
0f77 - emms - - -
0f7c Vx,Wx - haddpd - haddps
0f7d Vx,Wx - hsubpd - hsubps
0f7e Ed,Pq movd - - -
0f7e Ed,Vx - movd - -
0f7e Vx,Wx - - movq -
0f7f Qq,Pq movq - - -
0f7f Wx,Vx - movdqa movdqu -
0fc2 Vx,Wx,Ib cmpps cmppd cmpss cmpsd
0fc3 M:Ed,Gd movnti - - -
0fc4 Pq,Ed,Ib pinsrw - - -
0fc4 Vx,Ed,Ib - pinsrw - -
0fc5 R:Gd,Nq,Ib pextrw - - -
0fc5 R:Gd,Ux,Ib - pextrw - -
0fc6 Vx,Wx,Ib shufps shufpd - -
0fd0 Vx,Wx - addsubpd - addsubps
0fd6 Wx,Vx - movq - -
0fd6 R:Vx,Nq - - movq2dq -
0fd6 R:Pq,Ux - - - movdq2q
0fd7 R:Gd,Nq pmovmskb - - -
0fd7 R:Gd,Ux - pmovmskb - -
0fe6 Vx,Wx - cvttpd2dq cvtdq2pd cvtpd2dq
0fe7 M:Qq,Pq movntq - - -
0fe7 M:Wx,Vx - movntdq - -
0ff0 M:Vx,Wx - - - lddqu
0ff7 R:Pq,Nq maskmovq - - -
0ff7 R:Vx,Ux - maskmovdqu - -
0f3810 Vx,Wx - pblendvb - -
0f3814 Vx,Wx - blendvps - -
0f3815 Vx,Wx - blendvpd - -
0f3817 Vx,Wx - ptest - -
0f3820 Vx,Wx - pmovsxbw - -
0f3821 Vx,Wx - pmovsxbd - -
0f3822 Vx,Wx - pmovsxbq - -
0f3823 Vx,Wx - pmovsxwd - -
0f3824 Vx,Wx - pmovsxwq - -
0f3825 Vx,Wx - pmovsxdq - -
0f3828 Vx,Wx - pmuldq - -
0f3829 Vx,Wx - pcmpeqq - -
0f382a M:Vx,Wx - movntdqa - -
0f382b Vx,Wx - packusdw - -
0f3830 Vx,Wx - pmovzxbw - -
0f3831 Vx,Wx - pmovzxbd - -
0f3832 Vx,Wx - pmovzxbq - -
0f3833 Vx,Wx - pmovzxwd - -
0f3834 Vx,Wx - pmovzxwq - -
0f3835 Vx,Wx - pmovzxdq - -
0f3837 Vx,Wx - pcmpgtq - -
0f3838 Vx,Wx - pminsb - -
0f3839 Vx,Wx - pminsd - -
0f383a Vx,Wx - pminuw - -
0f383b Vx,Wx - pminud - -
0f383c Vx,Wx - pmaxsb - -
0f383d Vx,Wx - pmaxsd - -
0f383e Vx,Wx - pmaxuw - -
0f383f Vx,Wx - pmaxud - -
0f3840 Vx,Wx - pmulld - -
0f3841 Vx,Wx - phminposuw - -
0f3880 M:Gd,M - invept - -
0f3881 M:Gd,M - invvpid - -
0f3882 M:Gd,M - invpcid - -
0f38c8 Vx,Wx sha1nexte - - -
0f38c9 Vx,Wx sha1msg1 - - -
0f38ca Vx,Wx sha1msg2 - - -
0f38cb Vx,Wx sha256rnds2 - - -
0f38cc Vx,Wx sha256msg1 - - -
0f38cd Vx,Wx sha256msg2 - - -
0f38cf Vx,Wx - gf2p8mulb - -
0f38db Vx,Wx - aesimc - -
0f38dc Vx,Wx - aesenc - -
0f38dd Vx,Wx - aesenclast - -
0f38de Vx,Wx - aesdec - -
0f38df Vx,Wx - aesdeclast - -
0f3a08 Vx,Wx,Ib - roundps - -
0f3a09 Vx,Wx,Ib - roundpd - -
0f3a0a Vx,Wx,Ib - roundss - -
0f3a0b Vx,Wx,Ib - roundsd - -
0f3a0c Vx,Wx,Ib - blendps - -
0f3a0d Vx,Wx,Ib - blendpd - -
0f3a0e Vx,Wx,Ib - pblendw - -
0f3a0f Pq,Qq,Ib palignr - - -
0f3a0f Vx,Wx,Ib - palignr - -
0f3a14 Ed,Vx,Ib - pextrb - -
0f3a15 Ed,Vx,Ib - pextrw - -
0f3a16 Ed,Vx,Ib - pextrd - -
0f3a17 Ed,Vx,Ib - extractps - -
0f3a20 Vx,Ed,Ib - pinsrb - -
0f3a21 Vx,Wx,Ib - insertps - -
0f3a22 Vx,Ed,Ib - pinsrd - -
0f3a40 Vx,Wx,Ib - dpps - -
0f3a41 Vx,Wx,Ib - dppd - -
0f3a42 Vx,Wx,Ib - mpsadbw - -
0f3a44 Vx,Wx,Ib - pclmulqdq - -
0f3a60 Vx,Wx,Ib - pcmpestrm - -
0f3a61 Vx,Wx,Ib - pcmpestri - -
0f3a62 Vx,Wx,Ib - pcmpistrm - -
0f3a63 Vx,Wx,Ib - pcmpistri - -
0f3acc Vx,Wx,Ib sha1rnds4 - - -
0f3ace Vx,Wx,Ib - gf2p8affineqb - -
0f3acf Vx,Wx,Ib - gf2p8affineinvqb - -
0f3adf Vx,Wx,Ib - aeskeygenassist - -
`;

/** MMX operations that SSE2 (SSSE3) widened: no prefix works on MMX registers, 66 on XMM. First opcode, names. */
const WIDENED: readonly (readonly [number, string])[] = [
  [0x0f60, "punpcklbw punpcklwd punpckldq packsswb pcmpgtb pcmpgtw pcmpgtd packuswb"],
  [0x0f68, "punpckhbw punpckhwd punpckhdq packssdw"],
  [0x0f74, "pcmpeqb pcmpeqw pcmpeqd"],
  [0x0fd1, "psrlw psrld psrlq paddq pmullw"],
  [0x0fd8, "psubusb psubusw pminub pand paddusb paddusw pmaxub pandn"],
  [0x0fe0, "pavgb psraw psrad pavgw pmulhuw pmulhw"],
  [0x0fe8, "psubsb psubsw pminsw por paddsb paddsw pmaxsw pxor"],
  [0x0ff1, "psllw pslld psllq pmuludq pmaddwd psadbw"],
  [0x0ff8, "psubb psubw psubd psubq paddb paddw paddd"],
  [0x0f3800, "pshufb phaddw phaddd phaddsw pmaddubsw phsubw phsubd phsubsw psignb psignw psignd pmulhrsw"],
  [0x0f381c, "pabsb pabsw pabsd"],
];

/** Shifts by an immediate: opcode, ModRM.reg, name, XMM only. */
const SHIFTS: readonly (readonly [number, number, string, boolean])[] = [
  [0x0f71, 2, "psrlw", false],
  [0x0f71, 4, "psraw", false],
  [0x0f71, 6, "psllw", false],
  [0x0f72, 2, "psrld", false],
  [0x0f72, 4, "psrad", false],
  [0x0f72, 6, "pslld", false],
  [0x0f73, 2, "psrlq", false],
  [0x0f73, 3, "psrldq", true],
  [0x0f73, 6, "psllq", false],
  [0x0f73, 7, "pslldq", true],
];

const PREFIXES = [0, 0x66, 0xf3, 0xf2];
const FORMS: Readonly<Record<string, Row["form"]>> = { "M:": "mem", "R:": "reg" };
/** This processor has neither MMX nor SSE, and CPUID says so. */
const absent = always(invalid);

function fromLine(line: string): Row[] {
  const [code, shape, ...names] = line.split(" ");
  const form = FORMS[shape.slice(0, 2)] ?? "any";
  const operands = shape === "-" ? "" : form === "any" ? shape : shape.slice(2);
  return names.flatMap((name, n) =>
    name === "-"
      ? []
      : [row(Number.parseInt(code, 16), name, operands, absent, { prefix: PREFIXES[n], form })],
  );
}

export const VECTOR: readonly Row[] = [
  ...LINES.trim().split("\n").flatMap(fromLine),
  ...WIDENED.flatMap(([first, names]) =>
    names
      .split(" ")
      .flatMap((name, n) => [
        row(first + n, name, "Pq,Qq", absent, { prefix: 0 }),
        row(first + n, name, "Vx,Wx", absent, { prefix: 0x66 }),
      ]),
  ),
  ...SHIFTS.flatMap(([opcode, ext, name, wideOnly]) => [
    ...(wideOnly ? [] : [row(opcode, name, "Nq,Ib", absent, { ext, prefix: 0 })]),
    row(opcode, name, "Ux,Ib", absent, { ext, prefix: 0x66 }),
  ]),
  row(0x0fae, "fxsave", "M", always(fxsave), { ext: 0, prefix: 0 }),
  row(0x0fae, "fxrstor", "M", always(fxrstor), { ext: 1, prefix: 0 }),
  row(0x0fae, "ldmxcsr", "Md", absent, { ext: 2, prefix: 0 }),
  row(0x0fae, "stmxcsr", "Md", absent, { ext: 3, prefix: 0 }),
  row(0x0fae, "xsave", "M", null, { ext: 4, prefix: 0 }),
  row(0x0fae, "xrstor", "M", null, { ext: 5, prefix: 0 }),
  row(0x0fae, "xsaveopt", "M", null, { ext: 6, prefix: 0 }),
  row(0x0fae, "clflush", "Mb", null, { ext: 7, prefix: 0 }),
  row(0x0fae, "clwb", "Mb", null, { ext: 6, prefix: 0x66 }),
  row(0x0fae, "clflushopt", "Mb", null, { ext: 7, prefix: 0x66 }),
  // Fences order what here is in order already: a processor without SSE2 has none, and code asks CPUID first.
  row(0x0fae, "lfence", "", always(nop), { ext: 5, form: "reg", prefix: 0 }),
  row(0x0fae, "mfence", "", always(nop), { ext: 6, form: "reg", prefix: 0 }),
  row(0x0fae, "sfence", "", always(nop), { ext: 7, form: "reg", prefix: 0 }),
  row(0x0f38f0, "movbe", "Gv,Ev", null, { form: "mem", prefix: 0 }),
  row(0x0f38f0, "movbe", "Gv,Ev", null, { form: "mem", prefix: 0x66 }),
  row(0x0f38f1, "movbe", "Ev,Gv", null, { form: "mem", prefix: 0 }),
  row(0x0f38f1, "movbe", "Ev,Gv", null, { form: "mem", prefix: 0x66 }),
  row(0x0f38f0, "crc32", "Gd,Eb", null, { prefix: 0xf2 }),
  row(0x0f38f1, "crc32", "Gd,Ev", null, { prefix: 0xf2 }),
  row(0x0f38f5, "wrussd", "Md,Gd", null, { prefix: 0x66 }),
  row(0x0f38f6, "wrssd", "Md,Gd", null, { prefix: 0 }),
  row(0x0f38f8, "movdir64b", "Gd,M", null, { prefix: 0x66 }),
  row(0x0f38f9, "movdiri", "Md,Gd", null, { prefix: 0 }),
  row(0x0f38f6, "adcx", "Gd,Ed", null, { prefix: 0x66 }),
  row(0x0f38f6, "adox", "Gd,Ed", null, { prefix: 0xf3 }),
];
