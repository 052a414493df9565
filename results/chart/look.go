package chart

import (
	"fmt"
	"slices"
	"strings"

	"maps"
)

// A look is how marks of a class are painted: colours by name, "" for none.
type look struct {
	fill, stroke string
	width        float64 // of the stroke
	opacity      float64 // of the fill; 0 is 1
	dashed, bold bool
	halo         bool // words are set off from what lies under them
}

// palette holds each colour in light and in dark surroundings. Series colours
// are told apart by the colour-blind (after Okabe and Ito) and in print.
var palette = map[string][2]string{
	"ink":     {"#1f2328", "#e6e8eb"},
	"quiet":   {"#5d6670", "#9aa4af"},
	"rule":    {"#c9ced4", "#4a525b"},
	"grid":    {"#e7eaed", "#2b3138"},
	"surface": {"#ffffff", "#15191e"},
	"accent":  {"#0b5cad", "#6cb2f5"},
	"warm":    {"#b5530c", "#f2a065"},
	"good":    {"#1a7f4b", "#56c98d"},
	"bad":     {"#b3261e", "#f28b82"},
	"s0":      {"#0b5cad", "#6cb2f5"},
	"s1":      {"#c4690a", "#f2a65a"},
	"s2":      {"#0e8a6a", "#4fcfae"},
	"s3":      {"#a63d7f", "#e08dc0"},
	"s4":      {"#5b7f95", "#9cc4da"},
	"s5":      {"#7a6a00", "#d8c64a"},
	"s6":      {"#6b4fbb", "#b39df3"},
	"s7":      {"#8a4b3c", "#d99a88"},
}

// seriesColours is how many series have a colour of their own.
const seriesColours = 8

var looks = map[string]look{
	"grid":     {stroke: "grid", width: 1},
	"axis":     {stroke: "rule", width: 1},
	"label":    {fill: "quiet"},
	"title":    {fill: "ink", bold: true},
	"value":    {fill: "accent", bold: true, halo: true},
	"words":    {fill: "ink"},
	"dot":      {fill: "accent", opacity: 0.42},
	"band":     {fill: "accent", opacity: 0.14},
	"frontier": {stroke: "accent", width: 2.25},
	"point":    {fill: "accent", stroke: "surface", width: 1.5},
	"ring":     {fill: "surface", stroke: "accent", width: 1.75},
	"whisker":  {stroke: "accent", width: 1.25},
	"baseline": {stroke: "warm", width: 1.5, dashed: true},
	"noted":    {fill: "warm"},
	"ref":      {fill: "surface", stroke: "warm", width: 1.5},
	"cell":     {fill: "grid", stroke: "surface", width: 1},
	"empty":    {fill: "grid", opacity: 0.5},
	"dark":     {fill: "black", bold: true},
	"pale":     {fill: "white", bold: true},
	"bar":      {fill: "accent", opacity: 0.85},
	"median":   {stroke: "warm", width: 2},
	"mean":     {fill: "surface", stroke: "warm", width: 2},
	"done":     {fill: "good", opacity: 0.8},
	"running":  {fill: "accent", opacity: 0.8},
	"failed":   {fill: "bad", opacity: 0.85},
	"waiting":  {fill: "grid"},
	"ground":   {fill: "surface", opacity: 0.82},
}

func init() {
	palette["black"], palette["white"] = [2]string{"#000000", "#000000"}, [2]string{"#ffffff", "#ffffff"}
	for i := range seriesColours {
		name := fmt.Sprintf("s%d", i)
		looks[name] = look{stroke: name, width: 1.75}
		looks["dot-"+name] = look{fill: name, stroke: "surface", width: 1}
		looks["faint-"+name] = look{stroke: name, width: 1, opacity: 0.4}
	}
}

// haloWidth is how far a halo reaches beyond its letters.
const haloWidth = 1.75

// series is the class of the i-th series, and the prefix given.
func series(prefix string, i int) string { return fmt.Sprintf("%ss%d", prefix, i%seriesColours) }

// CSS is the style sheet of charts within a page, whose colours it takes from
// the custom properties that [Variables] defines.
func CSS() string {
	return rules(func(name string) string { return "var(--" + name + ")" })
}

// Variables defines the colours as custom properties, light or dark.
func Variables(dark bool) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(palette)) {
		fmt.Fprintf(&b, "--%s:%s;", name, colour(name, dark))
	}
	return b.String()
}

func colour(name string, dark bool) string {
	if dark {
		return palette[name][1]
	}
	return palette[name][0]
}

func rules(colour func(string) string) string {
	var b strings.Builder
	for _, class := range slices.Sorted(maps.Keys(looks)) {
		l := looks[class]
		fmt.Fprintf(&b, ".c-%s{fill:%s", class, paint(l.fill, colour))
		if l.stroke != "" {
			fmt.Fprintf(&b, ";stroke:%s;stroke-width:%g", colour(l.stroke), l.width)
		}
		if l.opacity != 0 {
			property := "fill-opacity"
			if l.fill == "" {
				property = "stroke-opacity"
			}
			fmt.Fprintf(&b, ";%s:%g", property, l.opacity)
		}
		if l.dashed {
			b.WriteString(";stroke-dasharray:6 4")
		}
		if l.bold {
			b.WriteString(";font-weight:600")
		}
		if l.halo {
			fmt.Fprintf(&b, ";paint-order:stroke;stroke:%s;stroke-width:%g;stroke-linejoin:round", colour("surface"), 2*haloWidth)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func paint(name string, colour func(string) string) string {
	if name == "" {
		return "none"
	}
	return colour(name)
}
