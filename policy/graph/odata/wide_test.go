package odata_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"graphproxy/policy/graph/odata"
)

func TestWideSpellsAlikeWhatMayBeTheSameName(t *testing.T) {
	for _, test := range []struct {
		name, want string
		texts      []string
	}{
		{"letter case", "ceo@contoso.com", []string{"CEO@Contoso.com", "ceo@contoso.com"}},
		{"width", "ceo@contoso.com", []string{"ｃｅｏ＠ｃｏｎｔｏｓｏ．ｃｏｍ", "ＣＥＯ@contoso.com"}},
		{"accents, composed or not", "ceo", []string{"céo", "ce\u0301o", "CÉÖ", "c\u0327e\u0308o\u0304"}},
		{"letters that Unicode does not decompose", "strasse lodz aebo",
			[]string{"straße łódź æbø", "STRASSE ŁÓDŹ ÆBØ", "STRAẞE LODZ AEBO"}},
		{"letters that change into ASCII ones", "kisi", []string{"\u212Aiſi", "Kısı", "KİSİ"}},
		{"compatibility forms", "ceo 1", []string{"ⓒⓔⓞ ①", "𝒸𝑒𝑜 𝟣", "ᶜᵉᵒ ¹"}},
		{"ligatures", "office", []string{"oﬃce", "OﬀICE"}},
		{"both alphabets of kana, and half width", "かた", []string{"カタ", "ｶﾀ", "がだ", "ガダ"}},
		{"the small sigmas", "σσ", []string{"Σς", "ςσ"}},
		{"characters that are not displayed", "ceo",
			[]string{"c\u200be\u200do", "c\u00adeo\ufeff", "\u202eceo\u2069", "ceo\U000E0041", "c\u115feo"}},
		{"spaces", "a b", []string{"a\u00a0b", "a\u2003b", "a\u3000b"}},
		{"quotes and brackets of other languages", `"a"`, []string{"«a»", "„a“", "「a」", "『a』"}},
		{"single quotes of other languages", "'a'", []string{"‚a‘", "′a′", "‛aʼ"}},
		{"angle and square brackets of other languages", "<a>[b]",
			[]string{"‹a›【b】", "〈a〉〔b〕", "《a》［b］"}},
		{"full stops between the labels of a domain", "contoso.com", []string{"contoso。com", "contoso｡com"}},
		{"dashes and quotes", "a-b'c", []string{"a\u2010b\u2019c", "a\u2014b\u2018c", "a\u2212bʼc"}},
	} {
		for _, text := range test.texts {
			if got := odata.Wide(text); got != test.want {
				t.Errorf("%s: %+q is %+q, want %q", test.name, text, got, test.want)
			}
		}
	}
}

func TestBareTakesOffWhatStandsAroundAKey(t *testing.T) {
	const guid = "0f8fad5b-d9cb-469f-a165-70867728950e"
	for text, want := range map[string]string{
		"ceo@contoso.com":                 "ceo@contoso.com",
		" ceo. ":                          "ceo",
		"'ceo'":                           "ceo",
		"\"ceo\"":                         "ceo",
		"`ceo`":                           "ceo",
		"<ceo>":                           "ceo",
		"(ceo)":                           "ceo",
		"[ceo]":                           "ceo",
		"{ceo}":                           "ceo",
		"smtp:ceo":                        "ceo",
		"sip:ceo":                         "ceo",
		"mailto:<ceo>":                    "ceo",
		"'smtp:'ceo' '":                   "ceo",
		guid:                              guid,
		"{" + guid + "}":                  guid,
		"(" + guid + ")":                  guid,
		strings.ReplaceAll(guid, "-", ""): guid,
		"{" + strings.ReplaceAll(guid, "-", "") + "}": guid,
		"guid'" + guid + "'":                          guid,
		"urn:uuid:" + guid:                            guid,
		guid + "@" + guid:                             guid,
		"ceo@contoso.com@" + guid:                     "ceo@contoso.com",
		"ceo@{" + guid + "}":                          "ceo",
		"ceo@" + strings.ReplaceAll(guid, "-", ""):    "ceo",
		"ceo@contoso.com@contoso.onmicrosoft.com":     "ceo@contoso.com",
		"ceo@contoso.com@x y":                         "ceo@contoso.com@x y",
		"@@contoso.com":                               "@@contoso.com",
		"{0x0f8fad5b,0xd9cb,0x469f,{0xa1,0x65,0x70,0x86,0x77,0x28,0x95,0x0e}}":    guid,
		"{0x0f8fad5b, 0xd9cb, 0x469f, {0xa1,0x65,0x70,0x86,0x77,0x28,0x95,0x0e}}": guid,
		"0f8fad5b-d9cb469f-a16570867728950e":                                      guid,
		strings.ReplaceAll(guid, "-", "") + "0":                                   strings.ReplaceAll(guid, "-", "") + "0",
		strings.Repeat("0f-", 30):                                                 strings.Repeat("0f-", 30),
		guid + "@contoso.com":                                                     guid,
		"{" + guid + "}@contoso.com":                                              guid,
		strings.ReplaceAll(guid, "-", "") + "@x":                                  guid,
		"'ceo":                                                                    "'ceo",
		"ceo>":                                                                    "ceo>",
		"<ceo}":                                                                   "<ceo}",
		"smtp:":                                                                   "smtp:",
		"''":                                                                      "''",
		"":                                                                        "",
		"...":                                                                     "...",
		"o'neill":                                                                 "o'neill",
		"smtpx:a":                                                                 "smtpx:a",
		"ceo@" + guid[1:]:                                                         "ceo@" + guid[1:],
	} {
		if got := odata.Bare(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestWidePathSpellsEachNameAlike(t *testing.T) {
	for path, want := range map[string]string{
		"Reports/Salaries":                    "reports/salaries",
		"Re\u0301ports/S\u00e1laries":         "reports/salaries",
		"Reports\u3000/\u00a0Salaries.\u200b": "reports/salaries",
		"%53alaries":                          "salaries",
		"50%ab.txt":                           "50.txt",
		"100% x":                              "100% x",
		"a\uff0fb":                            "a/b",
		"\u200b/a":                            "/a",
	} {
		if got := odata.WidePath(path); got != want {
			t.Errorf("%+q is %+q, want %+q", path, got, want)
		}
	}
}

// Applying Wide again changes nothing. Otherwise the first text could equal the second, and the second the third,
// but not the first the third. Wide treats each character alone, because patterns are converted piece by piece.
func TestWideIsStableAndByCharacters(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := rapid.String().Draw(r, "a"), rapid.String().Draw(r, "b")
		wide := odata.Wide(a)
		if again := odata.Wide(wide); again != wide {
			r.Errorf("%+q is %+q, and that is %+q", a, wide, again)
		}
		if got := odata.Wide(a + b); got != wide+odata.Wide(b) {
			r.Errorf("%+q and %+q: together %+q", a, b, got)
		}
		if upper := strings.ToUpperSpecial(unicode.SpecialCase{}, wide); odata.Wide(upper) != wide {
			r.Errorf("%+q is %+q, in capitals %+q", a, wide, odata.Wide(upper))
		}
	})
}

func TestPlainTextIsSpelledWithoutAllocating(t *testing.T) {
	for _, text := range []string{"adele@contoso.com", "'smtp:adele@contoso.com '",
		"0f8fad5b-d9cb-469f-a165-70867728950e@0f8fad5b-d9cb-469f-a165-70867728950e", "messages"} {
		if n := testing.AllocsPerRun(100, func() { odata.Bare(odata.Wide(text)) }); n != 0 {
			t.Errorf("%q costs %v allocations", text, n)
		}
	}
}

// A text may consist of layers. Each is removed without reading the rest.
func BenchmarkBareLayers(b *testing.B) {
	text := strings.Repeat("'", 4000) + "x" + strings.Repeat("'", 4000)
	for b.Loop() {
		odata.Bare(text)
	}
}

// Spellings is a quick way to the three texts, also of a segment that was changed after it was read.
func TestSpellingsAreTheThreeTexts(t *testing.T) {
	target, err := odata.Parse("/v1.0/Users/ADELE@contoso.com/mailFolders('X')/graph.Thing/%EF%BD%84rives/"+
		"B%21x/root:/Reports/A:/ad%C3%A8le/$count", "")
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(target.Segments)
	for _, s := range target.Segments {
		s.Text = "CEO@contoso.com"
		all = append(all, s)
		s.Text, s.Kind = target.Segments[1].Text, odata.Path
		all = append(all, s, odata.Segment{Kind: odata.Key, Text: "Kelvin \u212a"}, odata.Segment{})
	}
	for _, s := range all {
		bare := s.BareText()
		if s.Kind == odata.Path {
			bare = ""
		}
		want := [3]string{s.FoldText(), s.WideText(), bare}
		if folded, wide, got := s.Spellings(); [3]string{folded, wide, got} != want {
			t.Errorf("%v %q: %q, %q, %q, want %q", s.Kind, s.Text, folded, wide, got, want)
		}
	}
}
