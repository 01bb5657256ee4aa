/** Plain values to bytes and back, and files that are refused in words. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CodecError, crc32, decode, encode, type Plain, seal, unseal } from "../../../core/machine/codec.ts";

const plain = fc.letrec<{ value: Plain }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.string({ unit: "binary" }),
    fc.uint8Array(),
    fc.uint16Array(),
    fc.int32Array(),
    fc.uint32Array(),
    fc.float64Array({ noNaN: true }),
    fc.array(tie("value")),
    fc.dictionary(
      fc.string().filter((key) => key !== "__proto__"),
      tie("value"),
      { noNullPrototype: true },
    ),
  ) as fc.Arbitrary<Plain>,
})).value;

describe("codec", () => {
  test("every value comes back as it was, and again as the same bytes", () => {
    fc.assert(
      fc.property(plain, (value) => {
        const bytes = encode(value);
        expect(decode(bytes)).toEqual(value);
        expect(encode(decode(bytes))).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  test("bytes that are no value are refused with a CodecError, never with another", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("CRC-32 of the check string", () => {
    expect(crc32(Uint8Array.from([..."123456789"].map((c) => c.charCodeAt(0))))).toBe(0xcbf43926);
  });
});

describe("sealed files", () => {
  const body = encode({ a: [1, 2, 3] });
  const file = seal("QUADSNAP", 1, body);

  test("open again", () => {
    expect(unseal("QUADSNAP", 1, "a snapshot", file)).toEqual(body);
  });

  test("each damaged byte is noticed, in a sentence", () => {
    for (let i = 0; i < file.length; i++) {
      const damaged = file.slice();
      damaged[i]! ^= 0x10;
      expect(() => unseal("QUADSNAP", 1, "a snapshot", damaged)).toThrow(/a snapshot/);
    }
    for (let n = 0; n < file.length; n++) {
      expect(() => unseal("QUADSNAP", 1, "a snapshot", file.subarray(0, n))).toThrow(CodecError);
    }
  });

  test("another version says which it reads", () => {
    expect(() => unseal("QUADSNAP", 2, "a snapshot", file)).toThrow(
      "format 1; this version of Quadrant reads format 2",
    );
  });
});
