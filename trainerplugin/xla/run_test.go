package xla

import (
	"bytes"
	"encoding/binary"
	"testing"

	"sweep/trainerplugin/xla/stablehlotest"
)

// A machine runs programs.
type machine interface {
	run(t *testing.T, p *Program, args [][]byte) [][]byte
}

// values are arguments and results by name: slices of numbers.
type values map[string]any

// call runs p on m. Every argument must be given, of the right size.
func call(t *testing.T, m machine, p *Program, in values) values {
	t.Helper()
	var args [][]byte
	for _, s := range p.Args {
		v, ok := in[s.Name]
		if !ok {
			t.Fatalf("no argument %s", s.Name)
		}
		var b bytes.Buffer
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
		if b.Len() != s.Bytes() {
			t.Fatalf("%d bytes for %v", b.Len(), s)
		}
		args = append(args, b.Bytes())
	}
	out := values{}
	for i, data := range m.run(t, p, args) {
		s := p.Results[i]
		if len(data) != s.Bytes() {
			t.Fatalf("%d bytes of %v", len(data), s)
		}
		out[s.Name] = decode(t, s, data)
	}
	return out
}

func decode(t *testing.T, s Spec, data []byte) any {
	t.Helper()
	to := map[Element]any{
		Bool: make([]bool, s.Len()), I32: make([]int32, s.Len()), U32: make([]uint32, s.Len()),
		F32: make([]float32, s.Len()), F64: make([]float64, s.Len()),
	}[s.Element]
	if err := binary.Read(bytes.NewReader(data), binary.LittleEndian, to); err != nil {
		t.Fatal(err)
	}
	return to
}

func (v values) f32(name string) []float32 { return v[name].([]float32) }
func (v values) f64(name string) []float64 { return v[name].([]float64) }

// The interpreter runs what is printed, and nothing else of a Program.
type interpreter struct{}

func (interpreter) run(t *testing.T, p *Program, args [][]byte) [][]byte {
	t.Helper()
	parsed, err := stablehlotest.Parse(p.Text)
	if err != nil {
		t.Fatalf("parse %s: %v", p.Name, err)
	}
	var in []*stablehlotest.Tensor
	for i, data := range args {
		v, err := stablehlotest.FromBytes(stablehlotest.Type{Element: string(p.Args[i].Element), Shape: p.Args[i].Shape}, data)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, v)
	}
	results, err := parsed.Run(in...)
	if err != nil {
		t.Fatalf("run %s: %v", p.Name, err)
	}
	var out [][]byte
	for _, r := range results {
		out = append(out, r.Bytes())
	}
	return out
}
