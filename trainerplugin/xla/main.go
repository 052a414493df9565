package xla

import (
	"fmt"
	"slices"
	"strings"

	"sweep/trainerplugin/model"
)

// function prints a program whose body computes the named results of the named
// arguments.
func function(p *Program, body func(e *emitter, in map[string]value) map[string]value) {
	e := &emitter{}
	in := map[string]value{}
	var args, results []string
	for i, s := range p.Args {
		v := value{fmt.Sprintf("%%arg%d", i), s.Element, s.Shape}
		in[s.Name] = v
		alias := ""
		if s.Alias != "" {
			alias = fmt.Sprintf(" {tf.aliasing_output = %d : i32}", p.Result(s.Alias))
		}
		args = append(args, v.id+": "+v.typ()+alias)
	}
	for _, s := range p.Results {
		results = append(results, tensorType(s.Element, s.Shape))
	}
	e.line("module @sweep_%s attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {", p.Name)
	e.depth++
	e.line("func.func public @main(%s) -> (%s) {", strings.Join(args, ", "), strings.Join(results, ", "))
	e.depth++
	out := body(e, in)
	var returned []value
	for _, s := range p.Results {
		v, ok := out[s.Name]
		if !ok || v.element != s.Element || !slices.Equal(v.shape, s.Shape) {
			panic(fmt.Sprintf("result %s is %s", s, v.typ()))
		}
		returned = append(returned, v)
	}
	e.line("\"func.return\"(%s) : %s -> ()", ids(returned), inputTypes(returned))
	e.depth--
	e.line("}")
	e.depth--
	e.line("}")
	p.Text = e.text.String()
}

// lower checks c, builds its graph and has build make the program. What the
// emitter panics with is an error of this package or a graph that it does not
// know; it ends here.
func lower(c Config, views int, build func(g *model.Graph) *Program) (p *Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("lower %s: %v", c.Model, r)
		}
	}()
	if err := c.check(); err != nil {
		return nil, err
	}
	g, err := model.NewGraph(c.Model, c.Input, c.Microbatch, views, c.Freeze...)
	if err != nil {
		return nil, fmt.Errorf("lower: %w", err)
	}
	return build(g), nil
}

// sizes are the numbers of trained and frozen weights.
func sizes(g *model.Graph) (trained, frozen int) {
	for _, p := range g.Params {
		if p.Frozen {
			frozen += p.Size()
		} else {
			trained += p.Size()
		}
	}
	return trained, frozen
}

// stagedArgs are the arguments that stay on the device.
func (c Config) stagedArgs() []Spec {
	in := c.Input
	args := []Spec{
		{Name: Images, Element: c.Pixels, Shape: []int{c.Images, in.Height, in.Width, in.Channels}},
		{Name: Labels, Element: I32, Shape: []int{c.Images}},
	}
	if c.Pixels == U8 {
		args = append(args, Spec{Name: Table, Element: F32, Shape: []int{in.Channels, 256}})
	}
	return args
}

// weightArgs are the model's weights. donated says that they are given back
// under the same name.
func weightArgs(g *model.Graph, donated bool) []Spec {
	trained, frozen := sizes(g)
	w := Spec{Name: Weights, Element: F32, Shape: []int{trained}}
	if donated {
		w.Alias = Weights
	}
	args := []Spec{w}
	if frozen > 0 {
		args = append(args, Spec{Name: Frozen, Element: F32, Shape: []int{frozen}})
	}
	return args
}

// batchArgs are the arguments that say what a batch is.
func (c Config) batchArgs() []Spec {
	return []Spec{
		{Name: Indices, Element: I32, Shape: []int{c.Capacity()}},
		{Name: Words, Element: U32, Shape: []int{WordCount}},
		{Name: Scalars, Element: F64, Shape: []int{ScalarCount}},
	}
}

// batchResults are what is said of a batch.
func (c Config) batchResults() []Spec {
	places := []int{c.Capacity()}
	return []Spec{
		{Name: Norms, Element: F32, Shape: places},
		{Name: Losses, Element: F32, Shape: places},
		{Name: Clipped, Element: Bool, Shape: places},
		{Name: Report, Element: F64, Shape: []int{ReportCount}},
	}
}

func stagedOf(in map[string]value) staged { return staged{in[Images], in[Labels], in[Table]} }

func (s staged) values() []value {
	if s.table.id == "" {
		return []value{s.images, s.labels}
	}
	return []value{s.images, s.labels, s.table}
}

// with is s with a loop's values for it; it returns what is left of vs.
func (s staged) with(vs []value) (staged, []value) {
	if s.table.id == "" {
		return staged{images: vs[0], labels: vs[1]}, vs[2:]
	}
	return staged{vs[0], vs[1], vs[2]}, vs[3:]
}
