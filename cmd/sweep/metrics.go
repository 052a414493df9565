package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/urfave/cli/v2"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"sweep/results"
)

var metricsFlag = &cli.StringFlag{
	Name: "metrics-addr", EnvVars: []string{"SWEEP_METRICS_ADDR"}, DefaultText: "off",
	Usage: "serve Prometheus metrics at /metrics, and /healthz, on `HOST:PORT`; without a host on 127.0.0.1 alone",
}

// metrics are what this process measures, and where it is asked for it.
type metrics struct {
	registry *prometheus.Registry
	listener net.Listener
	handler  client.MetricsHandler // of the Temporal SDK
	server   *http.Server
}

// newMetrics listens on addr, so that a port that is taken is an error before
// any work begins. It returns nil if addr is "".
func newMetrics(addr string) (*metrics, error) {
	if addr == "" {
		return nil, nil
	}
	if host, port, err := net.SplitHostPort(addr); err == nil && host == "" { // "[]:9464" too
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	m := &metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(m.registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	meter := metric.NewMeterProvider(metric.WithReader(exporter)).Meter("temporal-sdk-go")
	m.handler = opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: meter, UseMonotonicCounters: true,
		OnError: func(error) {}, // a metric that cannot be kept is no reason to stop work
	})
	if m.listener, err = net.Listen("tcp", addr); err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--metrics-addr: %w", err)}
	}
	return m, nil
}

// serve answers until the returned function is called.
func (m *metrics) serve(healthy func(context.Context) error) (stop func() error) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		if err := healthy(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	go m.server.Serve(m.listener) // ends with Close, whose error is seen
	return m.server.Close
}

// sweepsCollector reads, at each scrape, how many trials of each sweep are in
// which state.
type sweepsCollector struct{ reader *results.Reader }

var trialsDesc = prometheus.NewDesc("sweep_trials", "Trials of the sweeps in the results file, by state.", []string{"sweep", "state"}, nil)

func (s sweepsCollector) Describe(to chan<- *prometheus.Desc) { to <- trialsDesc }

func (s sweepsCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	all, err := s.reader.Sweeps(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(trialsDesc, err)
		return
	}
	for _, info := range all {
		n := info.Counts
		for state, count := range map[string]int{
			"pending": n.Pending, "waiting": n.Waiting, "running": n.Running, "completed": n.Completed, "failed": n.Failed, "stopped": n.Stopped,
		} {
			to <- prometheus.MustNewConstMetric(trialsDesc, prometheus.GaugeValue, float64(count), string(info.ID), state)
		}
	}
}

// serveMetrics answers at the metrics' address until the host is closed.
func (h *host) serveMetrics(talk talker) {
	if h.metrics == nil {
		return
	}
	address := h.metrics.listener.Addr()
	h.closers = append(h.closers, h.metrics.serve(h.checkHealth))
	talk.say("metrics   http://%s/metrics", address)
	if opened(address) {
		talk.say("note: other machines can read the metrics, which name sweeps and say how far they are")
	}
}

// opened reports whether an address can be reached from other machines.
func opened(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && !tcp.IP.IsLoopback()
}

// checkHealth asks the Temporal server whether it is there.
func (h *host) checkHealth(ctx context.Context) error {
	if h.client == nil {
		return errors.New("not connected to Temporal yet")
	}
	_, err := h.client.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}
