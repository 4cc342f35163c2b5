#!/bin/bash
# How the vectors of this folder were made (Debian 12: openssl 3.0, bind9-utils 9.18, ldnsutils 1.8, knot 3.2,
# pdns-server 4.7, python3-cryptography). The keys are for tests alone. The passphrase is "secret".
# expected.json holds, for each file, the public key field of its DNSKEY as python3-cryptography reads it.
set -euo pipefail
cd "$(dirname "$0")"
rm -f -- *.pem *.der *.p12 *.private *.key expected.json
pass=(-passout pass:secret)
for a in ECDSAP256SHA256 ECDSAP384SHA384 ED25519 ED448; do dnssec-keygen -q -a "$a" -f KSK -K . bind.example >/dev/null; done
for a in RSASHA256 RSASHA512; do dnssec-keygen -q -a "$a" -b 2048 -K . bind.example >/dev/null; done
for a in ECDSAP256SHA256 ED448 RSASHA256; do
  name=$(ldns-keygen -a "$a" -b 2048 ldns.example); rm -f "$name.ds"
done
kasp=$(mktemp -d)
keymgr -D "$kasp" knot.example. generate algorithm=ED25519 ksk=yes >/dev/null
find "$kasp" -name '*.pem' -exec cp {} knot-ed25519.pem \;
rm -rf "$kasp"
sqlite=$(mktemp -d)
sqlite3 "$sqlite/db" </usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql
printf 'launch=gsqlite3\ngsqlite3-database=%s\ngsqlite3-dnssec=yes\n' "$sqlite/db" >"$sqlite/pdns.conf"
pdnsutil --config-dir="$sqlite" create-zone pdns.example ns1.pdns.example >/dev/null 2>&1
pdnsutil --config-dir="$sqlite" add-zone-key pdns.example ksk active ecdsa384 >/dev/null 2>&1
pdnsutil --config-dir="$sqlite" export-zone-key pdns.example 1 >pdns-ecdsa384.private 2>/dev/null
rm -rf "$sqlite"
for c in prime256v1 secp384r1; do
  openssl ecparam -genkey -name "$c" -out "sec1-$c.pem"
  openssl ec -in "sec1-$c.pem" -aes256 -passout pass:secret -out "sec1-aes256-$c.pem" 2>/dev/null
  openssl pkcs8 -topk8 -nocrypt -in "sec1-$c.pem" -out "pkcs8-$c.pem"
  openssl pkcs8 -topk8 -in "sec1-$c.pem" "${pass[@]}" -out "pkcs8-aes256-$c.pem"
done
for a in ed25519 ed448; do
  openssl genpkey -algorithm "$a" -out "pkcs8-$a.pem"
  openssl pkcs8 -topk8 -in "pkcs8-$a.pem" "${pass[@]}" -v2 aes-128-cbc -v2prf hmacWithSHA512 -out "pkcs8-aes128-$a.pem"
done
openssl genrsa -traditional -out pkcs1-rsa2048.pem 2048 2>/dev/null
openssl rsa -in pkcs1-rsa2048.pem -traditional -outform DER -out pkcs1-rsa2048.der 2>/dev/null
openssl rsa -in pkcs1-rsa2048.pem -traditional -aes128 "${pass[@]}" -out pkcs1-aes128-rsa2048.pem 2>/dev/null
openssl rsa -in pkcs1-rsa2048.pem -traditional -des3 "${pass[@]}" -out pkcs1-des3-rsa2048.pem 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in pkcs1-rsa2048.pem -outform DER -out pkcs8-rsa2048.der
openssl pkcs8 -topk8 -in pkcs1-rsa2048.pem -v1 PBE-SHA1-3DES "${pass[@]}" -out pkcs8-v1-rsa2048.pem
openssl pkcs8 -topk8 -in pkcs1-rsa2048.pem -iter 100000 "${pass[@]}" -outform DER -out pkcs8-100000-rsa2048.der
for k in pkcs1-rsa2048 pkcs8-prime256v1 pkcs8-ed448; do
  openssl req -x509 -new -key "$k.pem" -subj /CN=vector -days 3650 -out cert.tmp 2>/dev/null
  openssl pkcs12 -export -inkey "$k.pem" -in cert.tmp "${pass[@]}" -out "p12-${k#*-}.p12"
  openssl pkcs12 -export -legacy -inkey "$k.pem" -in cert.tmp "${pass[@]}" -out "p12-legacy-${k#*-}.p12"
done
# what is refused
openssl pkcs8 -topk8 -scrypt -in pkcs8-ed448.pem "${pass[@]}" -out bad-scrypt.pem
openssl pkcs8 -topk8 -iter 30000000 -in pkcs8-ed25519.pem -outform DER "${pass[@]}" -out bad-rounds.der
openssl ecparam -genkey -noout -name secp256k1 -out bad-secp256k1.pem
openssl ecparam -genkey -noout -name secp521r1 -out bad-secp521r1.pem
openssl genpkey -algorithm x25519 -out bad-x25519.pem
openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048 -out bad-rsa-pss.pem 2>/dev/null
openssl genrsa -out bad-rsa512.pem 512 2>/dev/null
openssl genrsa -out bad-rsa5120.pem 5120 2>/dev/null
openssl pkcs12 -export -nokeys -in cert.tmp "${pass[@]}" -out bad-nokey.p12
mv cert.tmp bad-certificate.pem
cat pkcs8-ed25519.pem pkcs8-ed448.pem >bad-two-keys.pem
/usr/bin/python3 - <<'PY'
import base64, glob, json
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_der_private_key, pkcs12, Encoding, PublicFormat
from cryptography.hazmat.primitives.asymmetric import rsa, ec
out = {}
def field(key):
    pub = key.public_key()
    if isinstance(pub, rsa.RSAPublicKey):
        n = pub.public_numbers(); e = n.e.to_bytes((n.e.bit_length() + 7) // 8, 'big')
        return bytes([len(e)]) + e + n.n.to_bytes((n.n.bit_length() + 7) // 8, 'big')
    if isinstance(pub, ec.EllipticCurvePublicKey):
        return pub.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    return pub.public_bytes(Encoding.Raw, PublicFormat.Raw)
for f in sorted(glob.glob('*')):
    if f.startswith('bad-') or f.endswith(('.sh', '.key', '.json')): continue
    data = open(f, 'rb').read()
    if f.endswith('.private'):
        if f.startswith('K'): out[f] = base64.b64encode(base64.b64decode(''.join([l for l in open(f[:-8] + '.key') if not l.startswith(';')][0].split('DNSKEY')[1].split(';')[0].split()[3:]))).decode()
        continue
    key = None
    for pw in (None, b'secret'):
        for load in (load_pem_private_key, load_der_private_key, lambda d, p: pkcs12.load_key_and_certificates(d, p)[0]):
            try: key = load(data, pw); break
            except Exception: pass
        if key: break
    assert key, f
    out[f] = base64.b64encode(field(key)).decode()
json.dump(out, open('expected.json', 'w'), indent=2); open('expected.json', 'a').write('\n')
PY
chmod 644 -- *
