package xla

import (
	"strconv"
	"strings"
)

// tensorType spells a type: "tensor<2x3xf32>".
func tensorType(e Element, shape []int) string {
	var b strings.Builder
	b.WriteString("tensor<")
	for _, d := range shape {
		b.WriteString(strconv.Itoa(d))
		b.WriteByte('x')
	}
	b.WriteString(string(e))
	b.WriteByte('>')
	return b.String()
}
