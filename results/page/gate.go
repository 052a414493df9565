package page

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
)

// A gate lets only those through who know its token, which comes once in the
// address and then in a cookie that scripts cannot read and other sites cannot
// send. It checks the Host header, so that a name somebody has pointed at
// 127.0.0.1 (DNS rebinding) leads nowhere, and lets only its own pages post.
type gate struct {
	hosts  []string
	token  string
	cookie string
}

// newGate makes a gate with a new token of at least 128 random bits. Browsers
// send a cookie to every port of a host, so its name has the port's number.
func newGate(hosts []string) *gate {
	_, port, _ := net.SplitHostPort(hosts[0])
	return &gate{hosts: hosts, token: rand.Text(), cookie: "sweep_page_" + port}
}

// policy allows what comes from here and nothing else: no inline script or
// style, no frame around a page, no form to elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func (g *gate) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a form's Origin would be "null"
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case !slices.Contains(g.hosts, r.Host):
		http.Error(w, fmt.Sprintf("this server is %s, not %q", g.hosts[0], r.Host), http.StatusMisdirectedRequest)
	case g.isToken(r.URL.Query().Get("token")):
		g.admit(w, r)
	case !g.hasCookie(r):
		http.Error(w, "open the address that `sweep ui` printed: it carries a token", http.StatusUnauthorized)
	case r.Method != http.MethodGet && r.Method != http.MethodHead && !g.ownPage(r):
		http.Error(w, "only a page of this server may ask for that", http.StatusForbidden)
	default:
		next.ServeHTTP(w, r)
	}
}

func (g *gate) isToken(s string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(g.token)) == 1
}

func (g *gate) hasCookie(r *http.Request) bool {
	c, err := r.Cookie(g.cookie)
	return err == nil && g.isToken(c.Value)
}

// admit gives the browser its cookie and takes the token out of the address
// bar. It does so by a page and not by a redirect: after a redirect that began
// elsewhere a browser does not send a SameSite=Strict cookie.
func (g *gate) admit(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	q := r.URL.Query()
	q.Del("token")
	// Of what was asked for only the path and the query are kept: "//host" would be another server.
	target := (&url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: q.Encode()}).String()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Refresh", "0; url="+target)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "opening", target)
}

// ownPage says whether a page of this server sent the request. A browser that
// sends no Origin with a form is older than SameSite cookies.
func (g *gate) ownPage(r *http.Request) bool {
	return r.Header.Get("Origin") == "http://"+r.Host
}
