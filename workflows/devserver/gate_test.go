package devserver

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestGate(t *testing.T) {
	g := newGate(8233, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("inside")) }))
	other := newGate(8233, nil)
	if g.token == other.token || len(g.token) < 26 { // 26 letters of base32 hold 130 bits
		t.Fatalf("tokens %q and %q", g.token, other.token)
	}
	cookie := "sweep_ui_8233=" + g.token
	for name, c := range map[string]struct {
		method, target, host, cookie string
		header                       [2]string
		status                       int
	}{
		"cookie":                   {target: "/", cookie: cookie, status: 200},
		"through ssh -L":           {target: "/", host: "localhost:9000", cookie: cookie, status: 200},
		"without a port":           {target: "/", host: "LOCALHOST", cookie: cookie, status: 200},
		"nothing":                  {target: "/", status: 401},
		"another server's cookie":  {target: "/", cookie: "sweep_ui_8234=" + g.token, status: 401},
		"another start's cookie":   {target: "/", cookie: "sweep_ui_8233=" + other.token, status: 401},
		"empty cookie":             {target: "/", cookie: "sweep_ui_8233=", status: 401},
		"another start's token":    {target: "/?token=" + other.token, status: 401},
		"empty token":              {target: "/?token=", status: 401},
		"rebound name":             {target: "/", host: "evil.example:8233", cookie: cookie, status: 421},
		"rebound name, token":      {target: "/?token=" + g.token, host: "evil.example", status: 421},
		"name that starts alike":   {target: "/", host: "127.0.0.1.evil.example:8233", cookie: cookie, status: 421},
		"no host":                  {target: "/", host: " ", cookie: cookie, status: 421},
		"write of the same origin": {method: "POST", target: "/", cookie: cookie, header: [2]string{"Origin", "http://127.0.0.1:8233"}, status: 200},
		"write of another port":    {method: "POST", target: "/", cookie: cookie, header: [2]string{"Sec-Fetch-Site", "same-site"}, status: 403},
		"write of another origin":  {method: "POST", target: "/", cookie: cookie, header: [2]string{"Origin", "http://127.0.0.1:1"}, status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.target, nil)
			r.Host = "127.0.0.1:8233"
			if c.host != "" {
				r.Host = c.host
			}
			r.Header.Set("Cookie", c.cookie)
			if c.header[0] != "" {
				r.Header.Set(c.header[0], c.header[1])
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if inside := w.Body.String() == "inside"; w.Code != c.status || inside != (c.status == 200) {
				t.Errorf("status %d, %q; want %d", w.Code, w.Body, c.status)
			}
		})
	}
}

func TestGateWelcomes(t *testing.T) {
	g := newGate(8233, http.NotFoundHandler())
	for target, want := range map[string]string{
		"/?":                               "/",
		"/namespaces/a/workflows?query=x&": "/namespaces/a/workflows?query=x",
		"/w/a%2Fb?":                        "/w/a%2Fb",
		"//evil.example/?":                 "/evil.example/", // must stay on this host
		`/\evil.example/?`:                 "/%5Cevil.example/",
		`/'><script>?`:                     "/%27%3E%3Cscript%3E",
	} {
		u, err := url.Parse("http://127.0.0.1:8233" + target + "token=" + g.token)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8233/", nil)
		r.URL = u
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, `content="0;url=`+want+`"`) {
			t.Errorf("%s leads to %q, want %s", target, body, want)
		}
		cookies := w.Result().Cookies()
		if len(cookies) != 1 || cookies[0].Value != g.token || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
			t.Errorf("%s sets cookies %v", target, cookies)
		}
	}
}

func TestByPrefix(t *testing.T) {
	say := func(s string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(s)) })
	}
	h := byPrefix(map[string]http.Handler{"/sweep/": say("outer"), "/sweep/api/": say("inner")}, say("rest"))
	for path, want := range map[string]string{
		"/": "rest", "/sweep": "rest", "/sweep/": "outer", "/sweep/x//y": "outer", "/sweep/api/z": "inner", "/a//b": "rest",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Body.String() != want {
			t.Errorf("%s goes to %s (status %d), want %s", path, w.Body, w.Code, want)
		}
	}
}
