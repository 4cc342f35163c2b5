/** The unsigned data of RFC 4035 appendix A. */
export const RFC4035_ZONE = `
  @ 3600 SOA ns1.example. bugs.x.w.example. 1081539377 3600 300 3600000 3600
  @ 3600 NS ns1.example.
  @ 3600 NS ns2.example.
  @ 3600 MX 1 xx.example.
  a 3600 NS ns1.a.example.
  a 3600 NS ns2.a.example.
  a 3600 DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B
  ns1.a 3600 A 192.0.2.5
  ns2.a 3600 A 192.0.2.6
  ai 3600 A 192.0.2.9
  ai 3600 HINFO "KLH-10" "ITS"
  ai 3600 AAAA 2001:db8::f00:baa9
  b 3600 NS ns1.b.example.
  b 3600 NS ns2.b.example.
  ns1.b 3600 A 192.0.2.7
  ns2.b 3600 A 192.0.2.8
  ns1 3600 A 192.0.2.1
  ns2 3600 A 192.0.2.2
  *.w 3600 MX 1 ai.example.
  x.w 3600 MX 1 xx.example.
  x.y.w 3600 MX 1 xx.example.
  xx 3600 A 192.0.2.10
  xx 3600 HINFO "KLH-10" "TOPS-20"
  xx 3600 AAAA 2001:db8::f00:baaa
`;

/** The unsigned data of RFC 5155 appendix A. */
export const RFC5155_ZONE = `
  @ 3600 SOA ns1.example. bugs.x.w.example. 1 3600 300 3600000 3600
  @ 3600 NS ns1.example.
  @ 3600 NS ns2.example.
  @ 3600 MX 1 xx.example.
  2t7b4g4vsa5smi47k61mv5bv1a22bojr 3600 A 192.0.2.127
  a 3600 NS ns1.a.example.
  a 3600 NS ns2.a.example.
  a 3600 DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C
  ns1.a 3600 A 192.0.2.5
  ns2.a 3600 A 192.0.2.6
  ai 3600 A 192.0.2.9
  ai 3600 HINFO "KLH-10" "ITS"
  ai 3600 AAAA 2001:db8::f00:baa9
  c 3600 NS ns1.c.example.
  c 3600 NS ns2.c.example.
  ns1.c 3600 A 192.0.2.7
  ns2.c 3600 A 192.0.2.8
  ns1 3600 A 192.0.2.1
  ns2 3600 A 192.0.2.2
  *.w 3600 MX 1 ai.example.
  x.w 3600 MX 1 xx.example.
  x.y.w 3600 MX 1 xx.example.
  xx 3600 A 192.0.2.10
  xx 3600 HINFO "KLH-10" "TOPS-20"
  xx 3600 AAAA 2001:db8::f00:baaa
`;
