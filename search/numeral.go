package search

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// numeral reports whether n is a number in our spelling, and otherwise
// complains with the spelling that was probably meant.
func (p *parser) numeral(path string, n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		p.complain(at(n), "%s: %s; a number belongs here", path, describe(n))
		return false
	}
	if n.Style == 0 && anyNumber.MatchString(n.Value) {
		return true
	}
	p.complain(at(n), "%s: %s", path, misspelt(n))
	return false
}

// misspelt says why n is no number, and what would be one.
func misspelt(n *yaml.Node) string {
	v := n.Value
	bare := strings.TrimLeft(v, "+-")
	switch {
	case n.Style != 0 && anyNumber.MatchString(v):
		return fmt.Sprintf("%s is text; write %s without quotes", quote(n), v)
	case n.Style != 0:
		return fmt.Sprintf("%s is text; a number belongs here", quote(n))
	case isInf(n) || strings.EqualFold(strings.TrimPrefix(bare, "."), "inf"):
		return fmt.Sprintf("%s is not finite; write a number", v)
	case strings.EqualFold(strings.TrimPrefix(bare, "."), "nan"):
		return fmt.Sprintf("%s is not a number; write one", v)
	case strings.HasPrefix(v, "+") && anyNumber.MatchString(v[1:]):
		return fmt.Sprintf("%s has a plus sign; write %s", v, v[1:])
	case len(bare) > 1 && bare[0] == '0' && wholeNumber.MatchString(strings.TrimLeft(bare, "0")):
		return fmt.Sprintf("%s has a leading zero, which is octal to some YAML readers; write %s", v, strings.TrimLeft(bare, "0"))
	case strings.Contains(v, "_"):
		return withoutMarks(v, "_", "digits grouped by underscores")
	case strings.HasPrefix(bare, ".") && anyNumber.MatchString("0"+bare):
		return fmt.Sprintf("%s has no digit before the point; write %s", v, strings.Replace(v, ".", "0.", 1))
	case strings.HasSuffix(bare, ".") && anyNumber.MatchString(strings.TrimSuffix(bare, ".")):
		return fmt.Sprintf("%s has no digit after the point; write %s", v, strings.TrimSuffix(v, "."))
	}
	if i, err := strconv.ParseInt(v, 0, 64); err == nil {
		return fmt.Sprintf("%s is not decimal; write %d", v, i)
	}
	return fmt.Sprintf("%s is not a number; write one, such as 4096, 0.5 or 1e-5", quote(n))
}

func withoutMarks(v, mark, what string) string {
	plain := strings.ReplaceAll(v, mark, "")
	if !anyNumber.MatchString(plain) {
		return fmt.Sprintf("%s is not a number; write one, such as 4096, 0.5 or 1e-5", v)
	}
	return fmt.Sprintf("%s has %s; write %s", v, what, plain)
}

// isInf reports whether n is infinity in one of the two spellings we read.
func isInf(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style == 0 && (n.Value == "inf" || n.Value == ".inf")
}

// show prints a value as a file would write it, in its shortest exact form.
// IDs depend on it: what it prints for a value stays so.
func show(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case float64:
		return showFloat(v)
	}
	return fmt.Sprint(v)
}

func showFloat(v float64) string {
	switch size := math.Abs(v); {
	case math.IsInf(v, 1):
		return "inf"
	case v == 0 || size >= 1e-4 && size < 1e7:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	power, _ := strconv.Atoi(exponent) // "-05" is -5
	return digits + "e" + strconv.Itoa(power)
}
