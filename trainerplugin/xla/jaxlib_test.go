package xla

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// eachMachine runs a test on the interpreter, and on XLA itself where there is a
// Python with jax.
func eachMachine(t *testing.T, test func(t *testing.T, m machine)) {
	t.Helper()
	t.Run("interpreter", func(t *testing.T) { test(t, interpreter{}) })
	t.Run("XLA", func(t *testing.T) { test(t, compiler(t)) })
}

// jaxVariable names the Python to use.
const jaxVariable = "SWEEP_TEST_JAX"

// A jaxlib is a process of testdata/run.py, which all tests share; it ends with
// this one, when its standard input does.
type jaxlib struct {
	mu      sync.Mutex
	in      io.Writer
	out     *bufio.Reader
	version string
}

var startJaxlib = sync.OnceValues(func() (*jaxlib, error) {
	for _, name := range []string{os.Getenv(jaxVariable), "../../.venv/bin/python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		c := exec.Command(path, "testdata/run.py")
		c.Stderr = os.Stderr
		in, err := c.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := c.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if exec.Command(path, "-c", "import jax").Run() != nil {
			continue
		}
		if err := c.Start(); err != nil {
			return nil, err
		}
		j := &jaxlib{in: in, out: bufio.NewReader(out)}
		if j.version, err = j.out.ReadString('\n'); err != nil {
			return nil, fmt.Errorf("start %s: %w", path, err)
		}
		return j, nil
	}
	return nil, nil
})

func compiler(t *testing.T) *jaxlib {
	t.Helper()
	j, err := startJaxlib()
	if err != nil {
		t.Fatal(err)
	}
	if j == nil {
		t.Skipf("SKIPPED: XLA did not compile this: no Python with jax; %s may name one, or `python3 -m venv .venv && .venv/bin/pip install jax` at the top of the repository makes one", jaxVariable)
	}
	return j
}

// run compiles p and runs it, on the CPU.
func (j *jaxlib) run(t *testing.T, p *Program, args [][]byte) [][]byte {
	t.Helper()
	type arg struct {
		Element Element `json:"element"`
		Shape   []int   `json:"shape"`
		File    string  `json:"file"`
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	job := struct {
		Program string   `json:"program"`
		Args    []arg    `json:"args"`
		Results []string `json:"results"`
	}{Program: write("program", []byte(p.Text))}
	for i, data := range args {
		a := arg{p.Args[i].Element, append([]int{}, p.Args[i].Shape...), write(fmt.Sprintf("arg%d", i), data)}
		job.Args = append(job.Args, a)
	}
	for i := range p.Results {
		job.Results = append(job.Results, filepath.Join(dir, fmt.Sprintf("result%d", i)))
	}
	line, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	j.ask(t, line)
	var out [][]byte
	for _, file := range job.Results {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

func (j *jaxlib) ask(t *testing.T, line []byte) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := fmt.Fprintf(j.in, "%s\n", line); err != nil {
		t.Fatal(err)
	}
	answer, err := j.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", strings.TrimSpace(j.version), err)
	}
	if answer != "ok\n" {
		t.Fatalf("%s: %s", strings.TrimSpace(j.version), answer)
	}
}
