package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/server/rpc"
	"github.com/temporalio/ui-server/v2/ui"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// listenUI takes the UI's port before anything costly is done.
func (s *Server) listenUI(context.Context) error {
	if !s.options.UI {
		return nil
	}
	port := s.options.UIPort
	if port == 0 {
		port = defaultUIPort
	}
	l, err := net.Listen("tcp", localAddress(port))
	if err != nil && s.options.UIPort == 0 && errors.Is(err, syscall.EADDRINUSE) {
		l, err = net.Listen("tcp", localAddress(0))
	}
	if err != nil {
		return fmt.Errorf("listen for the web UI: %w", err)
	}
	s.ui = l
	s.closers = append(s.closers, func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// serveUI serves Temporal's UI and the extra handlers behind a gate.
func (s *Server) serveUI(context.Context) error {
	if s.ui == nil {
		return nil
	}
	config, err := s.certs.clientTLS()
	if err != nil {
		return err
	}
	frontend, err := rpc.Dial(s.info.Address, config) // connects when first used
	if err != nil {
		return fmt.Errorf("dial the frontend for the web UI: %w", err)
	}
	s.closers = append(s.closers, frontend.Close)
	pages, err := newUI(s.uiConfig(), frontend)
	if err != nil {
		return fmt.Errorf("build the web UI: %w", err)
	}
	port := s.ui.Addr().(*net.TCPAddr).Port
	g := newGate(port, byPrefix(s.options.Extra, pages))
	server := &http.Server{
		Handler:           g,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}
	go server.Serve(s.ui) // returns when closed; an earlier end shows as a UI that does not answer
	s.closers = append(s.closers, server.Close)
	s.info.UIURL = (&url.URL{
		Scheme: "http", Host: localAddress(port), Path: "/", RawQuery: url.Values{"token": {g.token}}.Encode(),
	}).String()
	return nil
}

func (s *Server) uiConfig() *uiconfig.Config {
	return &uiconfig.Config{
		TemporalGRPCAddress: s.info.Address,
		EnableUI:            true,
		DefaultNamespace:    s.options.Namespace,
		DisableWriteActions: s.options.ReadOnlyUI,
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true}, // the address is http
	}
}

// newUI is Temporal's UI as a handler. Its own server (uiserver.NewServer)
// cannot be used: it listens by itself, on an address that every user of the
// machine can find in /proc/net/tcp and use without a token, and ends the
// process when the port is taken. This puts the same routes together.
func newUI(config *uiconfig.Config, frontend *grpc.ClientConn) (http.Handler, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	provider, err := uiconfig.NewConfigProviderWithRefresh(config)
	if err != nil {
		return nil, err
	}
	assets, err := ui.Assets()
	if err != nil {
		return nil, err
	}
	if assets, err = fs.Sub(assets, "local"); err != nil {
		return nil, err
	}
	secureCookies := !config.CORS.CookieInsecure
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(
		middleware.Recover(), middleware.Gzip(), middleware.Secure(),
		csrf.EnsureTokenCookie(secureCookies), middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, secureCookies)),
	)
	routeAPI(e, provider, frontend)
	if err := route.SetUIRoutes(e, "", assets, provider); err != nil {
		return nil, err
	}
	route.SetRenderRoute(e, "/")
	return e, nil
}

// routeAPI does what route.SetAPIRoutes does with a connection that is made for
// it and never closed.
func routeAPI(e *echo.Echo, provider *uiconfig.ConfigProviderWithRefresh, frontend *grpc.ClientConn) {
	forward := []api.Middleware{headers.WithForwardHeaders([]string{"Caller-Type"})}
	writes := route.DisableWriteMiddleware(provider)
	g := e.Group("/api/v1")
	g.GET("/settings", api.GetSettings(provider))
	g.GET("/releases", api.GetLatestReleases(provider, api.NewReleaseChecker())) // asks nobody unless configured to
	g.GET("/ui-extensions", api.GetUIExtensions(provider, api.TemporalAccessCheck(frontend, forward)))
	g.GET(api.WorkflowRawHistoryUrl, api.WorkflowRawHistoryHandler(workflowservice.NewWorkflowServiceClient(frontend)), writes)
	g.Any("/*", api.TemporalAPIHandler(provider, forward, frontend), writes)
}

// byPrefix serves each path with the handler of its longest prefix in extra, or
// else with the rest. Unlike http.ServeMux it leaves paths as they are: in the
// UI's a workflow ID may hold anything.
func byPrefix(extra map[string]http.Handler, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, longest := rest, 0
		for prefix, h := range extra {
			if len(prefix) > longest && strings.HasPrefix(r.URL.Path, prefix) {
				handler, longest = h, len(prefix)
			}
		}
		handler.ServeHTTP(w, r)
	})
}
