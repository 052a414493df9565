package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	"sweep/workflows/devserver"
)

// guardedGrid has a learning rate that stands nowhere else.
const guardedGrid = `
name: guarded
data: {name: glyphs, train: 300, validation: 100}
model: linear
privacy: {epsilon: [2], delta: 1e-4, accountant: rdp, noise: secure}
grid: {batch_size: [30, 60], learning_rate: [0.4142135], steps: [STEPS]}
run: {parallel: 2, checkpoint_every: 1s}
`

const secretRate = "0.4142135"

func guardedFor(text string, steps int) string {
	return strings.ReplaceAll(text, "STEPS", strconv.Itoa(steps))
}

// TestNothingIsOpenToOthers looks at a sweep while it runs under a umask that
// hides nothing, with every listener that there is, and at what it leaves.
func TestNothingIsOpenToOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeGrid(t, dir, guardedFor(guardedGrid, 3000))
	// SWEEP_METRICS_ADDR without a host is the loopback interface alone.
	server := underOpenUmask(sweepIn(dir, "server", "--metrics-addr", ":0"))
	stop := background(t, server)
	waitForServer(t, dir)
	start := underOpenUmask(sweepIn(dir, "start", "--detach", "grid.yaml"))
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("start: %v\n%s", err, out)
	}
	waitFor(t, "a checkpoint", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "results.d/trials/*/*.ckpt"))
		nested, _ := filepath.Glob(filepath.Join(dir, "results.d/trials/*/*/*.ckpt"))
		return len(found)+len(nested) > 0
	})
	page := underOpenUmask(sweepIn(dir, "ui", "--allow-actions"))
	page.Env = append(page.Env, "SWEEP_METRICS_ADDR=")
	defer background(t, page)()
	waitFor(t, "page", func() bool { return len(listeners(t, []int{page.Process.Pid})) > 0 })
	tree := append(descendantsOf(t, server.Process.Pid), server.Process.Pid, page.Process.Pid)
	if len(tree) < 3 {
		t.Errorf("processes %v; want the server and trainers under their shims", tree)
	}
	for _, pid := range tree {
		checkCores(t, pid)
	}
	listening := listeners(t, tree)
	if len(listening) < 7 { // four of Temporal's, its UI and its backend's, metrics, the page
		t.Errorf("found %v; want at least seven listeners, or the search is broken", listening)
	}
	for _, address := range listening {
		if !address.IP.IsLoopback() {
			t.Errorf("%v can be reached from other machines", address)
		}
	}
	checkModes(t, filepath.Join(dir, "results.d"))
	for _, scratch := range scratchOf(t, tree) {
		checkModes(t, scratch)
	}
	if out, err := sweepIn(dir, "cancel").CombinedOutput(); err != nil {
		t.Errorf("cancel: %v\n%s", err, out)
	}
	stop()
	checkModes(t, dir)
	if state := databases(t, dir); !bytes.Contains(state, []byte(secretRate)) {
		t.Error("Temporal's files do not hold the learning rate even in the clear: TestPayloadsAreSealed can see nothing")
	}
}

// TestPayloadsAreSealed gives a sweep a payload key and reads all that Temporal
// has of it: raw histories, and the bytes of its files.
func TestPayloadsAreSealed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeGrid(t, dir, guardedFor(guardedGrid, 20))
	if out, err := sweepIn(dir, "payload-key", "key").CombinedOutput(); err != nil {
		t.Fatalf("payload-key: %v\n%s", err, out)
	}
	start := sweepIn(dir, "start", "grid.yaml")
	start.Env = append(start.Env, "SWEEP_PAYLOAD_KEY="+filepath.Join(dir, "key"))
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("start: %v\n%s", err, out)
	}
	h := joinServer(t, dir)
	list, err := h.client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: h.namespace})
	if err != nil || len(list.Executions) < 4 {
		t.Fatalf("%d workflows, %v; want a submission, a sweep and two trials", len(list.Executions), err)
	}
	sealed := 0
	for _, e := range list.Executions {
		history := historyOf(t, h, e.Execution.WorkflowId, e.Execution.RunId)
		text, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(history)
		if err != nil {
			t.Fatal(err)
		}
		if _, key, _ := strings.Cut(e.TaskQueue, "@"); len(key) != 16 {
			t.Errorf("%s is on queue %q, which does not name the key", e.Execution.WorkflowId, e.TaskQueue)
		}
		sealed += bytes.Count(text, []byte("YmluYXJ5L2VuY3J5cHRlZA==")) // "binary/encrypted" in base64
		raw, err := proto.Marshal(history)
		if err != nil {
			t.Fatal(err)
		}
		noSecret(t, "history of "+e.Execution.WorkflowId, append(raw, text...))
		noSecret(t, "workflow id", []byte(e.Execution.WorkflowId))
		for name := range e.SearchAttributes.GetIndexedFields() {
			if strings.HasPrefix(name, "Sweep") {
				t.Errorf("search attribute %s of %s is set", name, e.Execution.WorkflowId)
			}
		}
	}
	if sealed < 20 {
		t.Errorf("%d sealed payloads in the histories; want one for each input and result", sealed)
	}
	noSecret(t, "Temporal's files", databases(t, dir))
	// Whoever has no key is told so, and not what the payload was.
	var wrong common.Payload
	if err := h.client.GetWorkflow(t.Context(), list.Executions[0].Execution.WorkflowId, "").Get(context.Background(), &wrong); err == nil && len(wrong.Data) > 0 {
		t.Errorf("a client without the key read %v", &wrong)
	}
}

func noSecret(t *testing.T, where string, text []byte) {
	t.Helper()
	for _, secret := range []string{secretRate, "learning_rate", "LearnRate", "glyphs", "linear", "grid.yaml", "Epsilon\":"} {
		if at := bytes.Index(text, []byte(secret)); at >= 0 {
			t.Errorf("%s holds %q: …%q…", where, secret, text[max(0, at-60):min(len(text), at+60)])
		}
	}
}

// databases are the bytes of Temporal's files in dir's state folder.
func databases(t *testing.T, dir string) (all []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "results.d", "temporal-*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("Temporal's files: %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

// checkCores fails the test if the system would keep the process's memory when it
// crashes. One byte is too little, and more than the zero that a program which
// core_pattern names is given an image at; see core(5).
func checkCores(t *testing.T, pid int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return // gone meanwhile
	}
	for line := range strings.Lines(string(text)) {
		if limit, is := strings.CutPrefix(line, "Max core file size"); is {
			if f := strings.Fields(limit); f[0] != "1" && f[1] != "0" {
				t.Errorf("process %d may leave a core file of up to %s bytes", pid, f[0])
			}
			return
		}
	}
	t.Errorf("limits of process %d: %s", pid, text)
}

// underOpenUmask has cmd run under a umask that hides nothing, and where crashes
// leave core files if the system lets them.
func underOpenUmask(cmd *exec.Cmd) *exec.Cmd {
	cmd.Args = append([]string{"sh", "-c", `umask 0; ulimit -c unlimited 2>/dev/null; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	return cmd
}

// checkModes fails the test for what others than the owner may read or enter.
func checkModes(t *testing.T, root string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile
		}
		info, err := d.Info()
		if err != nil || path == root && strings.Contains(root, "001") || info.Mode()&fs.ModeSymlink != 0 {
			return nil // the testing package made the root
		}
		n++
		if open := info.Mode().Perm() & 0o077; open != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Errorf("%s: %d files, %v", root, n, err)
	}
}

// listeners are the addresses that the processes listen on.
func listeners(t *testing.T, pids []int) (all []*net.TCPAddr) {
	t.Helper()
	sockets := map[string]bool{}
	for _, pid := range pids {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
				sockets[strings.Trim(strings.TrimPrefix(to, "socket:"), "[]")] = true
			}
		}
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // no IPv6
		}
		for _, line := range strings.Split(string(text), "\n")[1:] {
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == "0A" && sockets[f[9]] {
				all = append(all, procAddress(t, f[1]))
			}
		}
	}
	return all
}

// procAddress reads "0100007F:1F90": the address in words of the machine's
// byte order (little endian here), then the port.
func procAddress(t *testing.T, text string) *net.TCPAddr {
	t.Helper()
	host, port, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	var ip net.IP
	for word := 0; word+8 <= len(host); word += 8 {
		for i := 6; i >= 0; i -= 2 {
			b, err := strconv.ParseUint(host[word+i:word+i+2], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			ip = append(ip, byte(b))
		}
	}
	return &net.TCPAddr{IP: ip, Port: int(n)}
}

// descendantsOf are the processes below pid.
func descendantsOf(t *testing.T, pid int) (all []int) {
	t.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, f := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, child), descendantsOf(t, child)...)
		}
	}
	return all
}

// scratchOf are the folders of the trainers' sockets.
func scratchOf(t *testing.T, pids []int) (dirs []string) {
	t.Helper()
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		args := strings.Split(string(text), "\x00")
		for i, arg := range args {
			if arg == "-remove" && i+1 < len(args) {
				dirs = append(dirs, args[i+1])
			}
		}
	}
	if len(dirs) == 0 {
		t.Error("no trainer's socket folder found")
	}
	return dirs
}

func waitFor(t *testing.T, what string, there func() bool) {
	t.Helper()
	for began := time.Now(); !there(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("no %s within a minute", what)
		}
	}
}

func waitForServer(t *testing.T, dir string) {
	t.Helper()
	waitFor(t, "server", func() bool {
		_, err := devserver.Running(filepath.Join(dir, "results.d"))
		return err == nil
	})
}
