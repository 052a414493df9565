package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"sweep"
	"sweep/results"
	"sweep/results/page"
	"sweep/workflows"
	"sweep/workflows/devserver"
)

var uiCommand = &cli.Command{
	Name: "ui", Usage: "serve the results file as a web page, on this machine alone",
	Description: `Shows every sweep as it runs: the frontier beside published results, heat maps, learning
curves, attempts by worker, each trial in full. The address that it prints carries a token; without
it nobody on this machine gets in. The page fetches nothing from elsewhere.

From another machine:  ssh -L 8080:127.0.0.1:8080 HOST  and  sweep ui --addr 127.0.0.1:8080`,
	Flags: append([]cli.Flag{
		temporalUIFlag,
		&cli.StringFlag{Name: "addr", Value: "127.0.0.1:0", Usage: "`ADDRESS` to listen on; port 0 is a free one"},
		&cli.BoolFlag{Name: "allow-actions", Usage: "let the page pause, resume, stop and cancel sweeps, and set how many trials run at a time"},
		&cli.BoolFlag{Name: "open", Usage: "open it in the browser"},
	}, connectFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(p place, r *results.Reader) error { return serveUI(c, p, r) })
	},
}

func serveUI(c *cli.Context, p place, r *results.Reader) error {
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := listenLocally(c.String("addr"))
	if err != nil {
		return err
	}
	options := pageOptions(p, r)
	if c.Bool("allow-actions") {
		options.Act = func(ctx context.Context, id sweep.SweepID, action string, n int) error {
			return act(ctx, p, id, action, n)
		}
	}
	address := listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	site, err := page.New(ctx, options, address, "localhost:"+port)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	// Pages of large sweeps leave much to collect; a page that is kept open all
	// day should not keep it.
	debug.SetMemoryLimit(64 << 20)
	_ = unmapProgram() // without it the server is larger, and as good
	server := &http.Server{Handler: site, ReadHeaderTimeout: 10 * time.Second}
	server.RegisterOnShutdown(site.LetGo)
	if _, err := fmt.Fprintln(c.App.Writer, site.URL()); err != nil {
		return err
	}
	fmt.Fprintln(c.App.ErrWriter, "Ctrl-C ends it; sweeps go on")
	if c.Bool("open") {
		if err := openBrowser(site.URL()); err != nil {
			fmt.Fprintf(c.App.ErrWriter, "sweep: no browser could be opened: %v\n", err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return errors.Join(err, site.Close())
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(closing), site.Close())
}

// listenLocally listens on an address of this machine that no other can reach.
func listenLocally(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usagef("--addr %s: %v; 127.0.0.1:8080 is one", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, &exitError{exitUsage, hinted{
			fmt.Errorf("--addr %s: the page has no encryption and no users, so it is served on this machine alone", address),
			"listen on 127.0.0.1, and reach it from elsewhere through `ssh -L 8080:127.0.0.1:8080 HOST`",
		}}
	}
	return net.Listen("tcp", address)
}

// pageOptions are what pages of the results file show.
func pageOptions(p place, r *results.Reader) page.Options {
	return page.Options{
		Reader: r, Path: p.db, Version: version(),
		Log: func(ref sweep.AttemptRef) (string, error) { return p.spool().LogTail(ref) },
		Temporal: func(id sweep.SweepID, label string, trial sweep.TrialID) string {
			address, namespace := temporalPages(p)
			if address == "" {
				return ""
			}
			return temporalURL(address, namespace, trialShown(p, id, label, trial))
		},
		Served: func() bool {
			_, err := devserver.Running(p.state)
			return configured() || !errors.Is(err, devserver.ErrNotRunning)
		},
	}
}

// trialShown is what names the trial's workflow.
func trialShown(p place, id sweep.SweepID, label string, trial sweep.TrialID) workflows.TrialInput {
	keys, _ := servedKeys(p)
	return workflows.TrialInput{Sweep: id, Candidate: sweep.Candidate{Trial: trial, Label: label}, Private: len(keys) > 0}
}

// temporalPages is where Temporal shows the workflows of this results file, and in
// which namespace: "" if nothing says so.
func temporalPages(p place) (address, namespace string) {
	if configured() {
		profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{EnvLookup: environment{}})
		if err != nil {
			return "", "" // what is wrong is said by whoever wants to connect
		}
		return p.temporalUI, cmp.Or(profile.Namespace, client.DefaultNamespace)
	}
	info, err := devserver.Running(p.state)
	if err != nil {
		return "", ""
	}
	return cmp.Or(p.temporalUI, info.UIURL), info.Namespace
}

// temporalURL is the address of the trial's workflow in Temporal's web pages,
// which may lie below a path of their own behind a proxy.
func temporalURL(pages, namespace string, trial workflows.TrialInput) string {
	address, err := url.Parse(pages)
	if err != nil {
		return ""
	}
	return address.JoinPath("namespaces", url.PathEscape(namespace), "workflows", url.PathEscape(trial.WorkflowID())).String()
}

// act tells a running sweep what the page's button says.
func act(ctx context.Context, p place, id sweep.SweepID, action string, n int) error {
	if n > workflows.MaxParallel {
		return fmt.Errorf("%d trials at a time are more than %d", n, workflows.MaxParallel)
	}
	h, err := joinHost(ctx, p)
	if errors.Is(err, devserver.ErrNotRunning) {
		return fmt.Errorf("%w; `sweep resume %s` goes on with it", workflows.ErrNotRunning, id)
	}
	if err != nil {
		return err
	}
	switch action {
	case "cancel":
		err = workflows.Cancel(ctx, h.client, id)
	case "parallel":
		_, err = workflows.Update(ctx, h.client, id, workflows.UpdateParallel, n)
	default:
		signal := map[string]string{"pause": workflows.SignalPause, "resume": workflows.SignalResume, "stop": workflows.SignalStop}[action]
		err = workflows.Signal(ctx, h.client, id, signal)
	}
	return errors.Join(err, h.close())
}

// openBrowser opens the address the way the desktop does. It waits for nothing.
func openBrowser(address string) error {
	cmd := exec.Command("xdg-open", address)
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // only so that no zombie is left
	return nil
}
