package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The assembly in the repository is what this generator writes. Its first line
// names the command and so the file, and does not count.
func TestAssemblyIsUpToDate(t *testing.T) {
	dir := t.TempDir()
	asm, stubs := filepath.Join(dir, "asm.s"), filepath.Join(dir, "stubs.go")
	out, err := exec.Command("go", "run", ".", "-out", asm, "-stubs", stubs, "-pkg", "kernel").CombinedOutput()
	if err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	for fresh, kept := range map[string]string{asm: "../kernels_amd64.s", stubs: "../stubs_amd64.go"} {
		if !bytes.Equal(body(t, fresh), body(t, kept)) {
			t.Errorf("%s is out of date; run go generate in trainerplugin/kernel", kept)
		}
	}
}

func body(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(b, []byte("\n"))
	return rest
}
