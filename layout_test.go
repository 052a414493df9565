package sweep_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the plan of the house: which of our packages each may import.
// A package that is not listed does not belong here; see ARCHITECTURE.md.
var mayImport = map[string][]string{
	"sweep":                                 {},
	"sweep/privacy":                         {},
	"sweep/internal/faults":                 {},
	"sweep/privacy/audit":                   {"sweep/privacy"},
	"sweep/search":                          {"sweep", "sweep/privacy", "sweep/search/strategy"},
	"sweep/search/strategy":                 {},
	"sweep/search/bench":                    {"sweep", "sweep/privacy", "sweep/search/strategy", "sweep/trainerplugin", "sweep/trainerplugin/builtin"},
	"sweep/sweeps":                          {},
	"sweep/results":                         {"sweep", "sweep/privacy", "sweep/results/stats"},
	"sweep/results/stats":                   {},
	"sweep/results/chart":                   {},
	"sweep/results/page":                    {"sweep", "sweep/privacy", "sweep/results", "sweep/results/chart", "sweep/results/stats"},
	"sweep/results/resultstest":             {"sweep", "sweep/privacy", "sweep/results"},
	"sweep/results/export":                  {"sweep", "sweep/results"},
	"sweep/trainerplugin":                   {"sweep", "sweep/trainerplugin/trainerpb"},
	"sweep/trainerplugin/trainerpb":         {},
	"sweep/trainerplugin/trainertest":       {"sweep", "sweep/trainerplugin", "sweep/trainerplugin/trainerpb"}, // to break the contract on the wire
	"sweep/trainerplugin/dataset":           {"sweep"},
	"sweep/trainerplugin/kernel":            {},
	"sweep/trainerplugin/op":                {"sweep/trainerplugin/kernel"},
	"sweep/trainerplugin/model":             {"sweep", "sweep/trainerplugin/op", "sweep/trainerplugin/kernel", "sweep/trainerplugin/dpsgd"},
	"sweep/trainerplugin/dpsgd":             {"sweep", "sweep/trainerplugin", "sweep/trainerplugin/dataset"},
	"sweep/trainerplugin/xla":               {"sweep", "sweep/trainerplugin", "sweep/trainerplugin/dataset", "sweep/trainerplugin/dpsgd", "sweep/trainerplugin/model", "sweep/trainerplugin/op", "sweep/trainerplugin/xla/pjrt"},
	"sweep/trainerplugin/xla/pjrt":          {},
	"sweep/trainerplugin/xla/stablehlotest": {},
	"sweep/trainerplugin/xla/pjrt/pjrttest": {
		"sweep/trainerplugin/xla/pjrt",
	},
	"sweep/trainerplugin/xla/gpucheck": {
		"sweep", "sweep/trainerplugin", "sweep/trainerplugin/dataset", "sweep/trainerplugin/dpsgd", "sweep/trainerplugin/model", "sweep/trainerplugin/xla",
	},
	"sweep/trainerplugin/bench": {"sweep/trainerplugin/dpsgd", "sweep/trainerplugin/kernel", "sweep/trainerplugin/model"},
	"sweep/trainerplugin/builtin": {"sweep", "sweep/trainerplugin", "sweep/trainerplugin/dataset", "sweep/trainerplugin/dpsgd",
		"sweep/trainerplugin/model", "sweep/trainerplugin/kernel", "sweep/trainerplugin/xla", "sweep/trainerplugin/xla/pjrt"},
	"sweep/trainerplugin/canary": {"sweep", "sweep/privacy", "sweep/privacy/audit", "sweep/trainerplugin", "sweep/trainerplugin/dataset",
		"sweep/trainerplugin/dpsgd", "sweep/trainerplugin/model"},
	"sweep/workflows":                       {"sweep", "sweep/trainerplugin", "sweep/workflows/checkpoints", "sweep/workflows/spool"},
	"sweep/workflows/bench":                 {"sweep/trainerplugin", "sweep/trainerplugin/trainertest"},
	"sweep/workflows/checkpoints":           {"sweep"},
	"sweep/workflows/checkpoints/cloudtest": {},
	"sweep/workflows/payload":               {},
	"sweep/workflows/spool":                 {"sweep", "sweep/trainerplugin"},
	"sweep/workflows/devserver":             {},
	"sweep/cmd/sweep":                       nil, // wires everything together, so: any
}

// onlyIn says which of our packages may use a library that is large, or that
// must have one owner.
var onlyIn = map[string][]string{
	"go.temporal.io/server":           {"sweep/workflows/devserver"},
	"github.com/temporalio/ui-server": {"sweep/workflows/devserver"},
	"github.com/mattn/go-sqlite3":     {"sweep/results", "sweep/results/resultstest"},
	"gorgonia.org/gorgonia":           {"sweep/trainerplugin/op", "sweep/trainerplugin/model", "sweep/trainerplugin/xla"},
	"github.com/hashicorp/go-plugin":  {"sweep/trainerplugin"},
	"github.com/urfave/cli":           {"sweep/cmd/sweep"},
	"gocloud.dev":                     {"sweep/workflows/checkpoints", "sweep/workflows/checkpoints/cloudtest", "sweep/cmd/sweep"},
}

// maxLines is where a file has become more than one idea.
const maxLines = 450

func TestLayout(t *testing.T) {
	files := goFiles(t)
	if len(files) < 20 {
		t.Fatalf("found %d Go files: the walk is broken", len(files))
	}
	for _, file := range files {
		pkg := path.Join("sweep", path.Dir(file))
		allowed, planned := mayImport[pkg]
		if !planned {
			t.Errorf("%s: package %s is not in the plan", file, pkg)
			continue
		}
		test := strings.HasSuffix(file, "_test.go")
		for _, imported := range imports(t, file) {
			if ours(imported) && allowed != nil && !slices.Contains(allowed, imported) && imported != pkg && !test {
				t.Errorf("%s: %s may not import %s", file, pkg, imported)
			}
			for library, owners := range onlyIn {
				if strings.HasPrefix(imported, library) && !slices.Contains(owners, pkg) && !test {
					t.Errorf("%s: only %v may import %s", file, owners, library)
				}
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, file := range goFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		generated := bytes.Contains(text[:min(len(text), 2000)], []byte("DO NOT EDIT"))
		if n := bytes.Count(text, []byte("\n")); n > maxLines && !generated {
			t.Errorf("%s has %d lines; is it one idea?", file, n)
		}
	}
}

func ours(imported string) bool { return imported == "sweep" || strings.HasPrefix(imported, "sweep/") }

func goFiles(t *testing.T) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || hasModule(file)) {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(file, ".go") {
			files = append(files, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// hasModule reports whether dir is a module of its own: generators are.
func hasModule(dir string) bool {
	_, err := os.Stat(path.Join(dir, "go.mod"))
	return err == nil
}

func imports(t *testing.T, file string) (paths []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range parsed.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}

// No string is ever given to a shell: what a sweep file names is run by its
// path, with its arguments as they stand.
func TestNoShell(t *testing.T) {
	shells := []string{"sh", "bash", "zsh", "dash", "ksh", "cmd", "cmd.exe", "powershell"}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "trainerplugin/trainertest/") { // which misbehaves on purpose
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, _ := strconv.Unquote(lit.Value)
				if slices.Contains(shells, path.Base(text)) {
					t.Errorf("%s names the shell %q", file, text)
				}
			}
			return true
		})
	}
}
