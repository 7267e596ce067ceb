package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
)

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func toJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// raw signs this text as header and payload with the issuer's own key.
func (r *rig) raw(alg, header, payload string) string {
	r.t.Helper()
	key, _, err := r.Key(alg)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := oidctest.SignRaw(key, alg, []byte(header), []byte(payload))
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

func (r *rig) kid(alg string) string {
	r.t.Helper()
	_, kid, err := r.Key(alg)
	if err != nil {
		r.t.Fatal(err)
	}
	return kid
}

// payload is the text of good claims, with more put before its last brace.
func (r *rig) payload(more string) string {
	return fmt.Sprintf(`{"iss":%q,"sub":"hr-sync","aud":"graphproxy","exp":%d%s}`, r.Issuer(), r.clock.Now().Unix()+600,
		more)
}

func (r *rig) header(alg, more string) string {
	return fmt.Sprintf(`{"alg":%q,"kid":%q%s}`, alg, r.kid(alg), more)
}

// mac is a token that is "signed" with HMAC and a public secret.
func mac(header, payload string, secret []byte) string {
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(text))
	return text + "." + b64(h.Sum(nil))
}

// attacks are tokens that some verifier has accepted, by the name of the attack.
func attacks(r *rig) map[string]string {
	all := map[string]string{}
	r.confusedAlgorithms(all)
	r.foreignKeys(all)
	r.forgedSignatures(all)
	r.otherSerialisations(all)
	r.oddHeaders(all)
	r.oddClaims(all)
	return all
}

func (r *rig) confusedAlgorithms(all map[string]string) {
	good, payload := r.sign(nil, nil), r.payload("")
	parts := strings.Split(good, ".")
	for _, none := range []string{"none", "None", "NONE", "nOnE", "", "null"} {
		header := fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, none)
		all["alg "+none+" without a signature"] = b64([]byte(header)) + "." + parts[1] + "."
		all["alg "+none+" with a signature"] = b64([]byte(header)) + "." + parts[1] + "." + parts[2]
	}
	key, kid, err := r.Key("RS256")
	if err != nil {
		r.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		r.t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PublicKey(key.Public().(*rsa.PublicKey))
	hs := fmt.Sprintf(`{"alg":"HS256","kid":%q}`, kid)
	for name, secret := range map[string][]byte{
		"DER":            der,
		"PEM":            pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"modulus":        key.Public().(*rsa.PublicKey).N.Bytes(),
		"PKCS #1":        pkcs1,
		"PKCS #1 in PEM": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		"nothing":        {},
		"JWKS":           r.JWKS(),
	} {
		all["HMAC with the public key as the secret: "+name] = mac(hs, payload, secret)
		all["HMAC that says RS256, with the public key as the secret: "+name] = mac(r.header("RS256", ""), payload, secret)
	}
	for _, alg := range []string{"rs256", "RS256 ", "RS1", "ES256K", "HS512", "RSA-OAEP", "dir", "Ed448", "ML-DSA-44",
		"RS256\x00"} {
		all["alg "+alg] = r.raw("RS256", fmt.Sprintf(`{"alg":%q,"kid":%q}`, alg, kid), payload)
	}
	all["alg is missing"] = r.raw("RS256", fmt.Sprintf(`{"kid":%q}`, kid), payload)
	all["alg is a list"] = r.raw("RS256", fmt.Sprintf(`{"alg":["RS256"],"kid":%q}`, kid), payload)
	all["alg is null"] = r.raw("RS256", fmt.Sprintf(`{"alg":null,"kid":%q}`, kid), payload)
	all["alg is a number"] = r.raw("RS256", fmt.Sprintf(`{"alg":256,"kid":%q}`, kid), payload)
	all["signed with RS256, says PS256"] = r.raw("RS256", r.header("PS256", ""), payload)
	all["signed with PS256, says RS256"] = r.raw("PS256", r.header("RS256", ""), payload)
	all["signed with RS512, says RS256"] = r.raw("RS512", r.header("RS256", ""), payload)
	all["signed with RS256, names the EC key"] = r.raw("RS256", `{"alg":"RS256","kid":"`+r.kid("ES256")+`"}`, payload)
	all["signed with ES256, names the RSA key"] = r.raw("ES256", `{"alg":"ES256","kid":"`+kid+`"}`, payload)
	all["signed with EdDSA, names the RSA key"] = r.raw("EdDSA", `{"alg":"EdDSA","kid":"`+kid+`"}`, payload)
	all["ES256 with the key of ES384"] = r.raw("ES384", `{"alg":"ES256","kid":"`+r.kid("ES384")+`"}`, payload)
	all["ES384 with the key of ES256"] = r.raw("ES256", `{"alg":"ES384","kid":"`+r.kid("ES256")+`"}`, payload)
	all["ES512 with the key of ES256"] = r.raw("ES256", `{"alg":"ES512","kid":"`+r.kid("ES256")+`"}`, payload)
}

func (r *rig) foreignKeys(all map[string]string) {
	payload := r.payload("")
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		r.t.Fatal(err)
	}
	with := func(header string) string {
		text, err := oidctest.SignRaw(foreign, "RS256", []byte(header), []byte(payload))
		if err != nil {
			r.t.Fatal(err)
		}
		return text
	}
	all["another key under the issuer's key id"] = with(r.header("RS256", ""))
	all["another key without a key id"] = with(`{"alg":"RS256"}`)
	jwk := fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, b64(foreign.N.Bytes()))
	for _, header := range []string{r.header("RS256", `,"jwk":`+jwk), `{"alg":"RS256","jwk":` + jwk + `}`} {
		all["another key, embedded: "+header[:20]] = with(header)
	}
	for _, kid := range []string{
		"../../../../../../dev/null", "/dev/null", "file:///dev/null", "' UNION SELECT 'key' --", "1; DROP TABLE keys",
		"key | id",
		"https://fabrikam.example/keys", "\u0000", strings.Repeat("a", 4096), "*", "%s%s%n", "{{7*7}}",
		"${jndi:ldap://fabrikam.example}",
		"rsa-1\u0000", " rsa-1", "RSA-1",
	} {
		header := toJSON(r.t, members{"alg": "RS256", "kid": kid})
		all["kid "+kid[:min(30, len(kid))]] = with(header)
		all["kid "+kid[:min(30, len(kid))]+
			" and HMAC with nothing"] = mac(toJSON(r.t, members{"alg": "HS256", "kid": kid}), payload, nil)
	}
	for name, kid := range map[string]string{
		"a number":  "1",
		"null":      "null",
		"a list":    `["rsa-1"]`,
		"empty":     `""`,
		"an object": `{"a":1}`,
	} {
		all["kid is "+name] = r.raw("RS256", `{"alg":"RS256","kid":`+kid+`}`, payload)
	}
}

func (r *rig) forgedSignatures(all map[string]string) {
	payload := r.payload("")
	for alg, size := range map[string]int{
		"ES256": 64,
		"ES384": 96,
		"ES512": 132,
		"EdDSA": 64,
		"RS256": 256,
		"PS256": 256,
	} {
		text := b64([]byte(r.header(alg, ""))) + "." + b64([]byte(payload)) + "."
		all[alg+" with a signature of zeros"] = text + b64(make([]byte, size)) // CVE-2022-21449, "psychic signatures"
		all[alg+" with an empty signature"] = text
		all[alg+" with a signature of one byte"] = text + "AA"
		good := r.raw(alg, r.header(alg, ""), payload)
		signature, err := base64.RawURLEncoding.DecodeString(good[strings.LastIndexByte(good, '.')+1:])
		if err != nil {
			r.t.Fatal(err)
		}
		all[alg+" with a signature cut by one byte"] = text + b64(signature[:len(signature)-1])
		all[alg+" with half a signature"] = text + b64(signature[:len(signature)/2])
		all[alg+" with a signature and a byte more"] = text + b64(append(signature[:len(signature):len(signature)], 0))
		all[alg+" with a zero in front of the signature"] = text + b64(append([]byte{0}, signature...))
		for _, at := range []int{0, len(signature) / 2, len(signature) - 1} {
			other := append([]byte{}, signature...)
			other[at] ^= 1
			all[fmt.Sprintf("%s with a bit of the signature changed at %d", alg, at)] = text + b64(other)
		}
		all[alg+" over another payload"] = strings.Replace(good, "."+b64([]byte(payload)),
			"."+b64([]byte(r.payload(`,"admin":true`))), 1)
	}
	key, _, err := r.Key("ES256")
	if err != nil {
		r.t.Fatal(err)
	}
	text := b64([]byte(r.header("ES256", ""))) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(text))
	asn1, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		r.t.Fatal(err)
	}
	all["ES256 with a signature in ASN.1"] = text + "." + b64(asn1)
	order := elliptic.P256().Params().N.Bytes()
	all["ES256 with r and s of the group's order"] = text + "." + b64(append(append([]byte{}, order...), order...))
}

func (r *rig) otherSerialisations(all map[string]string) {
	good := r.sign(nil, nil)
	p := strings.Split(good, ".")
	all["nothing"] = ""
	all["two dots"] = ".."
	all["one part"] = p[0]
	all["two parts"] = p[0] + "." + p[1]
	all["four parts"] = good + "." + p[2]
	all["a dot behind"] = good + "."
	all["a dot before"] = "." + good
	all["five parts, as a JWE has"] = good + ".AAAA.AAAA"
	all["an empty payload"] = p[0] + ".." + p[2]
	all["JSON serialisation"] = fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, p[0], p[1], p[2])
	all["JSON serialisation, general"] = fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`,
		p[1], p[0], p[2])
	for name, blank := range map[string]string{
		"a space": " ", "a tab": "\t", "a line break": "\n", "a return": "\r\n", "a NUL": "\x00", "U+00A0": "\u00a0",
	} {
		all[name+" before"] = blank + good
		all[name+" behind"] = good + blank
		all[name+" in the header"] = p[0][:4] + blank + p[0][4:] + "." + p[1] + "." + p[2]
		all[name+" in the payload"] = p[0] + "." + p[1][:4] + blank + p[1][4:] + "." + p[2]
		all[name+" in the signature"] = p[0] + "." + p[1] + "." + p[2][:4] + blank + p[2][4:]
		all[name+" before the signature"] = p[0] + "." + p[1] + "." + blank + p[2]
	}
	all["padding behind the signature"] = good + "=="
	all["padding behind the header"] = p[0] + "=." + p[1] + "." + p[2]
	all["plain base64"] = p[0] + "." + p[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(p[2]+"-_")
	last := p[2][len(p[2])-1]
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	all["bits beyond the signature's last byte"] = good[:len(good)-1] +
		string(alphabet[strings.IndexByte(alphabet, last)+1])
	all["Bearer in front"] = "Bearer " + good
	all["more than 16 KiB"] = r.sign(members{"filler": strings.Repeat("a", 13<<10)}, nil)
}

func (r *rig) oddHeaders(all map[string]string) {
	payload := r.payload("")
	for name, more := range map[string]string{
		"crit of b64":                   `,"crit":["b64"],"b64":true`,
		"crit of an unknown name":       `,"crit":["http://fabrikam.example/x"],"http://fabrikam.example/x":1`,
		"crit without items":            `,"crit":[]`,
		"crit null":                     `,"crit":null`,
		"b64 true":                      `,"b64":true`,
		"jku":                           `,"jku":"https://fabrikam.example/keys"`,
		"jku of the issuer":             `,"jku":"` + r.Issuer() + `/keys"`,
		"x5u":                           `,"x5u":"https://fabrikam.example/cert"`,
		"x5c":                           `,"x5c":["AAAA"]`,
		"jwk":                           `,"jwk":{"kty":"oct","k":"AAAA"}`,
		"zip":                           `,"zip":"DEF"`,
		"enc":                           `,"enc":"A256GCM"`,
		"typ of a logout token":         `,"typ":"logout+jwt"`,
		"typ null":                      `,"typ":null`,
		"a doubled alg":                 `,"alg":"none"`,
		"a doubled alg of its value":    `,"alg":"RS256"`,
		"alg in another letter case":    `,"Alg":"none"`,
		"kid in another letter case":    `,"KID":"other"`,
		"a doubled kid":                 `,"kid":"other"`,
		"a doubled kid, escaped":        `,"\u006bid":"other"`,
		"a member doubled in an object": `,"x":{"a":1,"a":2}`,
		"half of a surrogate pair":      `,"x":"\ud800"`,
		"a comma too many":              `,`,
	} {
		all["header with "+name] = r.raw("RS256", r.header("RS256", more), payload)
	}
	all["b64 false, over the plain payload"] = r.unencoded()
	good := r.header("RS256", "")
	for name, header := range map[string]string{
		"a list":                "[" + good + "]",
		"a text":                `"` + b64([]byte(good)) + `"`,
		"null":                  "null",
		"two objects":           good + good,
		"an object and a comma": good + ",",
		"an object and a NUL":   good + "\x00",
		"a byte order mark":     "\xef\xbb\xbf" + good,
		"not UTF-8":             strings.Replace(good, "}", ",\"x\":\"\xff\"}", 1),
		"a comment":             good + "//",
		"a key without quotes":  strings.Replace(good, `"alg"`, "alg", 1),
		"cut":                   good[:len(good)-1],
		"empty":                 "",
		"deep":                  strings.Replace(good, "}", `,"x":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+"}", 1),
	} {
		all["header that is "+name] = r.raw("RS256", header, payload)
	}
}

// unencoded is a token of RFC 7797, whose signature is over the payload itself.
func (r *rig) unencoded() string {
	header := r.header("EdDSA", `,"b64":false,"crit":["b64"]`)
	key, _, err := r.Key("EdDSA")
	if err != nil {
		r.t.Fatal(err)
	}
	payload := r.payload("")
	signature, err := key.Sign(rand.Reader, []byte(b64([]byte(header))+"."+payload), crypto.Hash(0))
	if err != nil {
		r.t.Fatal(err)
	}
	return b64([]byte(header)) + "." + b64([]byte(payload)) + "." + b64(signature)
}

func (r *rig) oddClaims(all map[string]string) {
	header := r.header("RS256", "")
	for name, more := range map[string]string{
		"iss doubled":                   `,"iss":"https://fabrikam.example"`,
		"iss doubled with its value":    fmt.Sprintf(`,"iss":%q`, r.Issuer()),
		"Iss beside iss":                `,"Iss":"https://fabrikam.example"`,
		"sub doubled":                   `,"sub":"admin"`,
		"SUB beside sub":                `,"SUB":"admin"`,
		"ſub beside sub":                `,"ſub":"admin"`,
		"aud doubled, escaped":          `,"\u0061ud":"admin"`,
		"exp doubled":                   `,"exp":9999999999`,
		"EXP beside exp":                `,"EXP":9999999999`,
		"a claim doubled in an object":  `,"kubernetes.io":{"namespace":"hr","namespace":"admin"}`,
		"a claim doubled in a list":     `,"x":[{"a":1,"a":2}]`,
		"half of a surrogate pair":      `,"x":"\udc00"`,
		"U+FFFD":                        `,"x":"` + "\ufffd" + `"`,
		"half a pair in a name":         `,"x\ud800":1`,
		"nbf a text":                    `,"nbf":"0"`,
		"nbf null":                      `,"nbf":null`,
		"nbf negative":                  `,"nbf":-1`,
		"iat a text":                    `,"iat":"0"`,
		"iat huge":                      `,"iat":1e400`,
		"iat true":                      `,"iat":true`,
		"a list that nests deep":        `,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"a comma too many":              `,`,
		"a number with a zero in front": `,"x":01`,
		"NaN":                           `,"x":NaN`,
	} {
		all["claims with "+name] = r.raw("RS256", header, r.payload(more))
	}
	for name, exp := range map[string]string{
		"a text":          `"9999999999"`,
		"null":            "null",
		"NaN":             "NaN",
		"Infinity":        "Infinity",
		"huge":            "1e400",
		"large":           "1e300",
		"negative":        "-1",
		"minus zero":      "-0",
		"a list":          "[9999999999]",
		"true":            "true",
		"hexadecimal":     "0x7fffffff",
		"an object":       "{}",
		"beyond an int64": "9223372036854775808",
	} {
		all["exp is "+name] = r.raw("RS256", header,
			fmt.Sprintf(`{"iss":%q,"aud":"graphproxy","sub":"a","exp":%s}`, r.Issuer(), exp))
	}
	for name, claims := range map[string]members{
		"no iss":                 {"iss": nil},
		"iss a list":             {"iss": []string{r.Issuer()}},
		"iss empty":              {"iss": ""},
		"Iss only":               {"iss": nil, "Iss": r.Issuer()},
		"iss a number":           {"iss": 1},
		"no aud":                 {"aud": nil},
		"aud empty":              {"aud": ""},
		"aud an empty list":      {"aud": []string{}},
		"aud with an empty text": {"aud": []string{"graphproxy", ""}},
		"aud a number":           {"aud": 1},
		"aud with a number":      {"aud": []any{"graphproxy", 1}},
		"aud an object":          {"aud": members{"graphproxy": true}},
		"aud nested":             {"aud": []any{[]string{"graphproxy"}}},
		"sub a number":           {"sub": 1},
		"sub empty":              {"sub": ""},
		"sub a list":             {"sub": []string{"a"}},
		"no exp":                 {"exp": nil},
	} {
		all[name] = r.sign(claims, nil)
	}
	good := r.payload("")
	for name, payload := range map[string]string{
		"a list": "[" + good + "]", "null": "null", "a text": `"a"`, "two objects": good + good,
		"an object and more": good + " x", "not UTF-8": strings.Replace(good, "hr-sync", "\xff", 1),
		"a JWT": r.sign(nil, nil), "empty": "", "a byte order mark": "\xef\xbb\xbf" + good,
	} {
		all["payload that is "+name] = r.raw("RS256", header, payload)
	}
}

func TestAttacksAreRefused(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	r.want(r.sign(nil, nil), "ok")
	all := attacks(r)
	for name, raw := range all {
		t.Run(name, func(t *testing.T) {
			if got := outcome(t, r.v, raw); got != oidc.CodeInvalid {
				t.Errorf("got %s: %.300s", got, raw)
			}
		})
	}
	if len(all) < 200 {
		t.Errorf("only %d attacks", len(all))
	}
	if d, k := r.Fetches(); d != 2 || k != 2 {
		t.Errorf("%d and %d fetches, want 2 each: the first and one for all unknown key ids", d, k)
	}
}

func TestAttacksCauseNoFetchUnlessTheyNameAnUnknownKey(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	r.want(r.sign(nil, nil), "ok")
	for name, raw := range attacks(r) {
		if !strings.HasPrefix(name, "kid ") && !strings.Contains(name, "without a key id") {
			_, _ = r.v.Verify(context.Background(), raw)
		}
	}
	r.wantFetches(1, 1)
}
