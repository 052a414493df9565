package devserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

// wantLoopbackListeners reads proc(5)'s tables of sockets for this process's.
func wantLoopbackListeners(t *testing.T, s *Server) {
	all := listeners(t)
	for _, port := range append([]int{s.ui.Addr().(*net.TCPAddr).Port}, s.ports...) {
		if !slices.ContainsFunc(all, func(a *net.TCPAddr) bool { return a.Port == port }) {
			t.Errorf("port %d is not among the listeners %v", port, all)
		}
	}
	for _, a := range all {
		if !a.IP.Equal(net.IPv4(127, 0, 0, 1)) {
			t.Errorf("a listener on %v", a)
		}
	}
}

func listeners(t *testing.T) []*net.TCPAddr {
	t.Helper()
	own := map[string]bool{}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc:", err)
	}
	for _, fd := range fds {
		if link, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(link, "socket:[") {
			own[strings.Trim(link, "socket:[]")] = true
		}
	}
	var all []*net.TCPAddr
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			const listening = "0A"
			f := strings.Fields(line) // sl local_address rem_address st … inode is the 10th
			if len(f) > 9 && f[3] == listening && own[f[9]] {
				all = append(all, parseAddress(t, f[1]))
			}
		}
	}
	return all
}

// parseAddress reads "0100007F:1F90": 32-bit words in the machine's byte order,
// taken to be little-endian, and the port.
func parseAddress(t *testing.T, s string) *net.TCPAddr {
	t.Helper()
	words, port, _ := strings.Cut(s, ":")
	ip, err := hex.DecodeString(words)
	if err != nil {
		t.Fatal(err)
	}
	for word := range slices.Chunk(ip, 4) {
		slices.Reverse(word)
	}
	a := &net.TCPAddr{IP: ip}
	if _, err := fmt.Sscanf(port, "%X", &a.Port); err != nil {
		t.Fatal(err)
	}
	return a
}

// wantStrangersRefused tries clients without TLS and of another authority on
// the frontend, and handshakes on every gRPC port.
func wantStrangersRefused(t *testing.T, s *Server) {
	other, err := newCertificates(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign := other.clientOptions(s.info.Address, namespaceName)
	foreign.ConnectionOptions.TLS.InsecureSkipVerify = true // it is the server that must refuse
	for name, o := range map[string]client.Options{
		"plaintext": {HostPort: s.info.Address, Namespace: namespaceName},
		"foreign":   foreign,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		c, err := client.DialContext(ctx, quietly(o))
		cancel()
		if err == nil {
			c.Close()
			t.Errorf("a %s client was let in", name)
		}
	}
	own, err := s.certs.clientTLS()
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range s.ports {
		a := localAddress(port)
		if err := handshake(t, a, foreign.ConnectionOptions.TLS); err == nil {
			t.Errorf("%s accepted a certificate of another authority", a)
		}
		if err := handshake(t, a, own); err != nil {
			t.Errorf("%s refused the server's own certificate: %v", a, err)
		}
	}
}

// handshake also reads, since a TLS 1.3 client learns of its refusal only then:
// an HTTP/2 server speaks first.
func handshake(t *testing.T, address string, config *tls.Config) error {
	t.Helper()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: config}
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = bufio.NewReader(conn).ReadByte()
	return err
}

// A visitor is a browser that opened the UI's address.
type visitor struct {
	t      *testing.T
	client *http.Client
	base   *url.URL
}

func newVisitor(t *testing.T, s *Server) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(s.Info().UIURL)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, client: &http.Client{Jar: jar}, base: base}
	if status, page := v.get(base.RequestURI()); status != http.StatusOK || !strings.Contains(page, `url=/"`) {
		t.Fatalf("the UI's address gave status %d, %s", status, page)
	}
	return v
}

func (v *visitor) do(method, path string, change func(*http.Request)) (status int, body string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.base.Host+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (v *visitor) get(path string) (status int, body string) {
	v.t.Helper()
	return v.do(http.MethodGet, path, nil)
}

// post writes as the UI's own pages do, with the token that they find in a cookie.
func (v *visitor) post(path string) (status int) {
	v.t.Helper()
	v.get("/")
	status, _ = v.do(http.MethodPost, path, func(r *http.Request) {
		for _, c := range v.client.Jar.Cookies(v.base) {
			if c.Name == "_csrf" {
				r.Header.Set("X-CSRF-Token", c.Value)
			}
		}
		r.Header.Set("Content-Type", "application/json")
		r.Body = io.NopCloser(strings.NewReader("{}"))
	})
	return status
}

func wantUIGuarded(t *testing.T, s *Server) {
	v := newVisitor(t, s)
	list := "/api/v1/namespaces/" + namespaceName + "/workflows"
	for path, want := range map[string]string{"/": "<html", list: `"first"`, "/sweep/frontier": "dashboard"} {
		if status, body := v.get(path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s with the cookie: status %d, %.200s; want %q in it", path, status, body, want)
		}
		status, _ := v.do(http.MethodGet, path, func(r *http.Request) { r.Host = "evil.example:8233" })
		if status != http.StatusMisdirectedRequest {
			t.Errorf("GET %s with a foreign Host: status %d, want 421", path, status)
		}
		stranger := &visitor{t: t, client: &http.Client{}, base: v.base}
		if status, _ := stranger.get(path); status != http.StatusUnauthorized {
			t.Errorf("GET %s without a cookie: status %d, want 401", path, status)
		}
	}
}

// wantTerminated ends a workflow by the UI's own request.
func wantTerminated(t *testing.T, c client.Client, s *Server) {
	const id = "sleeper/0001" // with a slash, as children's IDs have
	if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, sleeper); err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/namespaces/" + namespaceName + "/workflows/" + url.PathEscape(id) + "/terminate"
	if got := newVisitor(t, s).post(path); got != http.StatusOK {
		t.Errorf("POST %s: status %d", path, got)
	}
	d, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.WorkflowExecutionInfo.Status; got != enums.WORKFLOW_EXECUTION_STATUS_TERMINATED {
		t.Errorf("workflow is %v, want terminated", got)
	}
}
