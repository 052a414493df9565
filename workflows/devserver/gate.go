package devserver

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"html"
	"net"
	"net/http"
	"strings"
)

// A gate lets only those through to a handler who know its token. That keeps
// out the other users of the machine, to whom 127.0.0.1 is open, and the web
// pages its user visits.
//
// The token comes once in the address ("?token=") and then in a cookie that
// scripts cannot read and that other sites' pages do not send. A Host header
// other than this machine's own names is refused with status 421: it is how a
// page whose name was made to resolve to 127.0.0.1 (DNS rebinding) shows. Any
// port will do, so that the UI can be reached through `ssh -L`. No token is
// status 401; a write that another origin asks for is 403.
type gate struct {
	token  string
	cookie string
	inside http.Handler
}

// newGate makes a gate with a new token of at least 128 random bits. Cookies do
// not tell ports apart, hence the port in the cookie's name: servers of several
// folders are used side by side.
func newGate(port int, inside http.Handler) *gate {
	return &gate{
		token: rand.Text(), cookie: fmt.Sprintf("sweep_ui_%d", port),
		inside: http.NewCrossOriginProtection().Handler(inside),
	}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !ownHost(r.Host):
		http.Error(w, "this address is not for that host name", http.StatusMisdirectedRequest)
	case g.isToken(r.URL.Query().Get("token")):
		g.welcome(w, r)
	case !g.hasCookie(r):
		http.Error(w, "open the address that sweep printed when it started: it carries a token", http.StatusUnauthorized)
	default:
		g.inside.ServeHTTP(w, r)
	}
}

// ownHost tells whether a Host header names this machine's loopback interface.
func ownHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return host == "127.0.0.1" || strings.EqualFold(host, "localhost")
}

func (g *gate) isToken(s string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(g.token)) == 1
}

func (g *gate) hasCookie(r *http.Request) bool {
	c, err := r.Cookie(g.cookie)
	return err == nil && g.isToken(c.Value)
}

// welcome sets the cookie and sends the browser to the same address without the
// token. It does so by a page and not by a redirect: after a redirect that began
// at another site (a link in a chat, say) browsers hold strict cookies back.
func (g *gate) welcome(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: g.cookie, Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	query := r.URL.Query()
	query.Del("token")
	target := "/" + strings.TrimLeft(r.URL.EscapedPath(), `/\`) // never "//host", which is another site
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	fmt.Fprintf(w, "<!doctype html>\n<meta http-equiv=\"refresh\" content=\"0;url=%s\">\n", html.EscapeString(target))
}
