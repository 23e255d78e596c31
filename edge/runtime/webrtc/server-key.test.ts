import assert from "node:assert/strict";
import { createPrivateKey, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { before, test } from "node:test";
import { CipherContext, HashAlgorithm, NamedCurveAlgorithm, SignatureAlgorithm } from "werift";
import { isSigned } from "./server-key.ts";

const RANDOMS = randomBytes(64);
/** named_curve, x25519, and a key of 32 bytes. */
const PARAMETERS = Buffer.concat([Buffer.from([3, 0, 29, 32]), randomBytes(32)]);

interface Holder {
  readonly certificate: Buffer;
  readonly key: KeyObject;
}
let holder: Holder;
let other: Holder;

async function makeHolder(): Promise<Holder> {
  const { certPem, keyPem } = await CipherContext.createSelfSignedCertificateWithKey(
    { signature: SignatureAlgorithm.ecdsa_3, hash: HashAlgorithm.sha256_4 },
    NamedCurveAlgorithm.secp256r1_23,
  );
  return { certificate: new X509Certificate(certPem).raw, key: createPrivateKey(keyPem) };
}

before(async () => {
  [holder, other] = await Promise.all([makeHolder(), makeHolder()]);
});

/** A ServerKeyExchange: parameters, algorithm, signature. */
function message(key: KeyObject, hash = 4, name = "sha256", randoms = RANDOMS): Buffer {
  const signature = sign(name, Buffer.concat([randoms, PARAMETERS]), key);
  const algorithm = Buffer.from([hash, 3, signature.length >> 8, signature.length & 255]);
  return Buffer.concat([PARAMETERS, algorithm, signature]);
}

test("the key of the certificate is proof", () => {
  assert.ok(isSigned(message(holder.key), RANDOMS, holder.certificate));
  assert.ok(isSigned(message(holder.key, 5, "sha384"), RANDOMS, holder.certificate));
});

test("a certificate that was seen somewhere is none", () => {
  assert.equal(isSigned(message(other.key), RANDOMS, holder.certificate), false);
});

test("neither is the proof of another handshake, an old hash or a damaged message", () => {
  const good = message(holder.key);
  assert.equal(isSigned(good, randomBytes(64), holder.certificate), false);
  assert.equal(isSigned(message(holder.key, 2, "sha1"), RANDOMS, holder.certificate), false);
  assert.equal(isSigned(good, RANDOMS, Buffer.from("no certificate")), false);
  for (let n = 0; n < good.length; n++) {
    assert.equal(isSigned(good.subarray(0, n), RANDOMS, holder.certificate), false);
    const bad = Buffer.from(good);
    bad[n]! ^= 0x80;
    // The signature algorithm is told by the certificate; the byte that names it does not count.
    if (n !== PARAMETERS.length + 1) {
      assert.equal(isSigned(bad, RANDOMS, holder.certificate), false, `byte ${n}`);
    }
  }
});
