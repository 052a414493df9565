// Package devserver runs a Temporal server and its web UI inside this process,
// for people who have no Temporal cluster.
//
// One folder holds one server: its SQLite database, the certificates that its
// clients need, a lock, and while it runs a file that says where it listens.
// Every listener is on 127.0.0.1, unless the frontend is told otherwise. The gRPC ports demand a client certificate
// from the folder (mode 0600), and the UI a token that is new at each start and
// part of [Info.UIURL], so other users of the machine have no way in.
//
// The database is execution state only. Its name carries a digest of the
// server's schema, which Temporal does not migrate on SQLite: a release with
// another schema starts from an empty file and leaves the old one alone.
//
// It runs on Linux and on other Unixes, where less can be told about dead
// processes. It brings in the whole Temporal server (a binary of some 200 MB), so
// nothing but the command should import it.
package devserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

// Options says how to run a server. Dir and Namespace are required.
type Options struct {
	Dir       string        // state folder, made with (or set to) mode 0700; one server at a time runs in it
	Namespace string        // made at the first start, kept afterwards
	Retention time.Duration // how long closed workflows stay; 0 is 30 days, else at least an hour

	// SearchAttributes are added to the namespace at each start if missing. On
	// SQLite there is room for 10 Keyword and 3 of each other type.
	SearchAttributes map[string]enums.IndexedValueType

	// Listen is the IP address of the frontend, for clients on other machines,
	// which need the folder's certificates; "" is 127.0.0.1. All other listeners
	// stay there.
	Listen string

	UI         bool                    // serve the web UI
	UIPort     int                     // on 127.0.0.1; 0 is 8233 or, if that is taken, any free port
	ReadOnlyUI bool                    // refuse every write that comes through the UI
	Extra      map[string]http.Handler // more to serve beside the UI, by path prefix ("/sweep/"), behind the same token

	Logger   *slog.Logger // nil logs nothing
	LogLevel slog.Leveler // least level of the server's own lines; nil is slog.LevelError

	// OnTrouble, if set, is told in one sentence of troubles that a person must
	// mend, such as a full disk: once when each is first met and every half
	// minute while it lasts. It is called from the server's goroutines and
	// must return soon.
	OnTrouble func(string)
}

const (
	defaultRetention = 30 * 24 * time.Hour
	defaultUIPort    = 8233 // where `temporal server start-dev` has its UI
	startTimeout     = time.Minute
)

// complete checks o and fills in defaults.
func (o Options) complete() (Options, error) {
	if o.Dir == "" || o.Namespace == "" {
		return o, errors.New("options: Dir and Namespace must be set")
	}
	if o.Retention == 0 {
		o.Retention = defaultRetention
	}
	if o.Retention < time.Hour {
		return o, fmt.Errorf("options: retention %v is below Temporal's minimum of 1h", o.Retention)
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1"
	}
	if ip := net.ParseIP(o.Listen); ip == nil || ip.IsUnspecified() {
		return o, fmt.Errorf("options: %q is no IP address of this machine; name the one that others reach it by", o.Listen)
	}
	for prefix := range o.Extra {
		if len(prefix) < 3 || prefix[0] != '/' || prefix[len(prefix)-1] != '/' {
			return o, fmt.Errorf("options: prefix %q does not start and end with a slash", prefix)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LogLevel == nil {
		o.LogLevel = slog.LevelError
	}
	var err error
	o.Dir, err = filepath.Abs(o.Dir)
	return o, err
}

// A Server is a running Temporal server.
type Server struct {
	options Options
	info    Info
	certs   certificates
	journal *journal

	database string       // path
	ports    []int        // of the gRPC listeners, in the order of services
	ui       net.Listener // nil without UI

	stale chan struct{} // closed when the clock was set back

	closers  []func() error // run last to first by close
	stopOnce sync.Once
	stopped  chan struct{} // closed when close has returned stopErr
	stopErr  error
}

// Start runs a server in o.Dir and returns when its frontend answers and the
// namespace and its search attributes are usable, or after a minute with an
// error that tells what the server logged. ctx bounds the start alone.
//
// While another process (or another Server of this one) runs in the same
// folder the error wraps [ErrInUse]; see [WaitRunning] for how to use that one.
func Start(ctx context.Context, o Options) (*Server, error) {
	o, err := o.complete()
	if err != nil {
		return nil, fmt.Errorf("start temporal server: %w", err)
	}
	s := &Server{options: o, journal: newJournal(o), stopped: make(chan struct{}), stale: make(chan struct{})}
	if err := s.start(ctx); err != nil {
		err = fmt.Errorf("start temporal server in %s: %w", o.Dir, s.journal.explain(err))
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, step := range []func(context.Context) error{
		s.claimFolder, s.readCertificates, s.openDatabase, s.listenUI, s.launch, s.awaitNamespace, s.serveUI, s.watchClock, s.announce,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// claimFolder makes the state folder this server's own until it stops.
func (s *Server) claimFolder(context.Context) error {
	dir := s.options.Dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, unlock)
	return removeInfo(dir) // one left by a killed server would mislead for as long as this one starts
}

func (s *Server) readCertificates(context.Context) error {
	var err error
	s.certs, err = openCertificates(s.options.Dir)
	return err
}

func (s *Server) openDatabase(ctx context.Context) error {
	if err := checkFreeSpace(s.options.Dir); err != nil {
		return err
	}
	scripts, err := schemaScripts()
	if err != nil {
		return err
	}
	s.database = databaseFile(s.options.Dir, scripts)
	if err := s.discardStale(ctx); err != nil {
		return err
	}
	return prepareDatabase(ctx, s.database, scripts)
}

// announce tells other processes where this server is. It is the last step:
// whoever finds the file can use the server.
func (s *Server) announce(context.Context) error {
	s.info.Namespace = s.options.Namespace
	s.info.PID = os.Getpid()
	s.info.Identity = Identity("server")
	s.info.Started = time.Now().UTC().Truncate(time.Millisecond)
	if err := writeInfo(s.options.Dir, s.info); err != nil {
		return err
	}
	s.closers = append(s.closers, func() error { return removeInfo(s.options.Dir) })
	return nil
}

// Info says where the server listens, as [Running] tells other processes.
func (s *Server) Info() Info { return s.info }

// ClientOptions are what a client of this process needs to dial the server.
// The caller may set further fields, such as Logger and Identity.
func (s *Server) ClientOptions() client.Options {
	return s.certs.clientOptions(s.info.Address, s.options.Namespace)
}

// Stop ends the server, UI first, and gives the folder free. Stop the clients
// and workers before it. It waits until all is down or ctx ends; then the
// folder stays locked until the rest of the work is done. Later calls only wait.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		go func() {
			s.stopErr = s.close()
			close(s.stopped)
		}()
	})
	select {
	case <-s.stopped:
		return s.stopErr
	case <-ctx.Done():
		return fmt.Errorf("stop temporal server in %s: %w", s.options.Dir, ctx.Err())
	}
}

func (s *Server) close() error {
	s.journal.mute()
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}
