package pjrt_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// realHeader is pjrt_c_api.h as OpenXLA publishes it: SWEEP_PJRT_HEADER names
// it, or it lies beside the plugin that SWEEP_PJRT_PLUGIN names. Where there is
// none the test is skipped.
func realHeader(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("SWEEP_PJRT_HEADER"); path != "" {
		return path
	}
	if plugin := os.Getenv("SWEEP_PJRT_PLUGIN"); plugin != "" {
		for _, dir := range []string{".", "include", "../include", "include/xla/pjrt/c"} {
			path := filepath.Join(filepath.Dir(plugin), dir, "pjrt_c_api.h")
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	t.Skip("no pjrt_c_api.h: SWEEP_PJRT_HEADER does not name one, and there is none beside a plugin")
	return ""
}

var (
	structure = regexp.MustCompile(`(?s)typedef struct (PJRT_\w+) \{\n(.*?)\n\} PJRT_\w+;`)
	field     = regexp.MustCompile(`(?m)(\w+)(?:\)\(\w*\))?;$`)
	constant  = regexp.MustCompile(`(?m)^  (PJRT_\w+) = \d+,$`)
	entry     = regexp.MustCompile(`(?m)^  (?:CALL|SLOT)\((\w+)\);|^  void \(\*(\w+)\)`)
)

// Every field of every block, every entry of the table and every constant of
// abi.h lies where the real header has it.
func TestLayout(t *testing.T) {
	header := realHeader(t)
	text, err := os.ReadFile("abi.h")
	if err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	lines := 0
	ask := func(format string, args ...any) {
		lines++
		fmt.Fprintf(&body, format, args...)
	}
	for _, s := range structure.FindAllStringSubmatch(string(text), -1) {
		name, fields := s[1], field.FindAllStringSubmatch(s[2], -1)
		if name == "PJRT_Api" {
			fields = entry.FindAllStringSubmatch(s[2], -1)
		}
		for _, f := range fields {
			if member := f[1] + strings.Join(f[2:], ""); member != "BLOCK_START" {
				ask("printf(\"%%s.%%s %%zu\\n\", %q, %q, offsetof(%s, %s));\n", name, member, name, member)
			}
		}
	}
	for _, c := range constant.FindAllStringSubmatch(string(text), -1) {
		ask("printf(\"%%s %%d\\n\", %q, (int)%s);\n", c[1], c[1])
	}
	if lines < 200 {
		t.Fatalf("abi.h was not understood: %d places in it", lines)
	}
	ours, real := offsets(t, "abi.h", body.String()), offsets(t, header, body.String())
	for i := range ours {
		if ours[i] != real[i] {
			t.Errorf("abi.h has %s, the real header %s", ours[i], real[i])
		}
	}
}

// offsets runs a C program of the given statements under a header.
func offsets(t *testing.T, header, body string) []string {
	t.Helper()
	header, err := filepath.Abs(header)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "offsets.c"), filepath.Join(dir, "offsets")
	text := fmt.Sprintf("#include <stdio.h>\n#include %q\nint main(void) {\n%s}\n", header, body)
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skipf("there is no C compiler: %v", err)
	}
	if out, err := exec.Command(cc, "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
