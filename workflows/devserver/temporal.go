package devserver

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"time"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const (
	clusterName = "active" // as `temporal server start-dev` calls its only cluster

	// clusterID must be a UUID and the same at every start: the server keeps
	// the first in its database and warns of any other.
	clusterID = "b4dfd1f5-0ae6-4b47-a5f1-6d0d8a1c9f27"

	// historyShards can never be changed for a database, and more than one
	// gains nothing on SQLite, which has one writer.
	historyShards = 1

	// namespaceRefresh is how often each of the server's services reads the
	// namespaces again, and so learns of new search attributes.
	namespaceRefresh = time.Second
)

// CachedWorkflows is how many workflows the server keeps in memory, closed ones
// included, at some 45 kB each. One that was dropped is read again when it goes
// on. The server's own default of 128,000 is for clusters.
const CachedWorkflows = 256

// services are the four parts of a Temporal server, in the order of their ports.
var services = []primitives.ServiceName{
	primitives.FrontendService, primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
}

// launch builds and starts the server. Ports that another process took in the
// meantime are worth another try.
func (s *Server) launch(ctx context.Context) error {
	store := persistence(s.database)
	if err := s.makeNamespace(store); err != nil {
		return fmt.Errorf("make namespace %s: %w", s.options.Namespace, err)
	}
	var server temporal.Server
	var err error
	for range 3 {
		if s.ports, err = freePorts(len(services)); err != nil {
			return err
		}
		if server, err = s.build(store); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	s.closers = append(s.closers, server.Stop)
	// The server's own workers would ask for a digest of this whole program:
	// half a second at each start.
	worker.SetBinaryChecksum(clusterName)
	return server.Start()
}

// build puts the server together, which opens its listeners on s.ports. The
// server ends its process when it cannot listen; here its logger panics
// instead, in this goroutine.
func (s *Server) build(store *config.SQL) (_ temporal.Server, err error) {
	s.info.Address = net.JoinHostPort(s.options.Listen, strconv.Itoa(s.ports[0]))
	log := &serverLog{journal: s.journal}
	log.building.Store(true)
	defer log.building.Store(false)
	defer func() {
		if p := recover(); p != nil {
			fatal, ok := p.(fatalLine)
			if !ok {
				panic(p)
			}
			err = fmt.Errorf("build the server: %s", string(fatal))
		}
	}()
	hosts := map[primitives.ServiceName]static.Hosts{}
	for i, name := range services {
		hosts[name] = static.SingleLocalHost(localAddress(s.ports[i]))
	}
	hosts[primitives.FrontendService] = static.SingleLocalHost(s.info.Address)
	return temporal.NewServer(
		temporal.WithConfig(s.temporalConfig(store)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(log),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(dynamicSettings()),
	)
}

func (s *Server) temporalConfig(store *config.SQL) *config.Config {
	c := &config.Config{
		Persistence: config.Persistence{
			DefaultStore: "sqlite", VisibilityStore: "sqlite", NumHistoryShards: historyShards,
			DataStores: map[string]config.DataStore{"sqlite": {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
				Enabled: true, InitialFailoverVersion: 1, RPCAddress: s.info.Address, ClusterID: clusterID,
			}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            map[string]config.Service{},
		PublicClient:        config.PublicClient{HostPort: s.info.Address},
	}
	for i, name := range services {
		// HTTPPort stays 0, which leaves the HTTP API off.
		c.Services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: s.ports[i], BindOnIP: "127.0.0.1"}}
	}
	frontend := c.Services[string(primitives.FrontendService)]
	frontend.RPC.BindOnIP = s.options.Listen
	c.Services[string(primitives.FrontendService)] = frontend
	c.Global.Membership.BroadcastAddress = "127.0.0.1"
	c.Global.TLS = s.certs.serverTLS()
	c.Archival.History.State, c.Archival.Visibility.State = "disabled", "disabled"
	c.NamespaceDefaults.Archival.History.State = "disabled"
	c.NamespaceDefaults.Archival.Visibility.State = "disabled"
	return c
}

// serverTLS makes every gRPC listener demand the certificate, and gives it to
// the server's own clients.
func (c certificates) serverTLS() config.RootTLS {
	text := base64.StdEncoding.EncodeToString
	listen := config.ServerTLS{
		CertData: text(c.cert), KeyData: text(c.key), ClientCAData: []string{text(c.ca)}, RequireClientAuth: true,
	}
	dial := config.ClientTLS{ServerName: serverName, RootCAData: []string{text(c.ca)}}
	return config.RootTLS{
		Internode:    config.GroupTLS{Server: listen, Client: dial},
		Frontend:     config.GroupTLS{Server: listen, Client: dial},
		SystemWorker: config.WorkerTLS{CertData: text(c.cert), KeyData: text(c.key), Client: dial},
	}
}

func dynamicSettings() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// With one partition a task queue is exactly first in, first out, and
		// so are priorities and fairness; the default of 4 only approximates.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		dynamicconfig.MatchingEnableFairness.Key():              true,

		// A worker that has vanished leaves polls behind, which would be given
		// work until its connection is found to be dead.
		dynamicconfig.KeepAliveTime.Key():    4 * time.Second,
		dynamicconfig.KeepAliveTimeout.Key(): 4 * time.Second,

		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.NamespaceCacheRefreshInterval.Key():           namespaceRefresh,

		// The UI and a sweep's own status queries share this allowance; the
		// default of 10 a second makes pages fail to load.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():                 CachedWorkflows,

		// What other clusters might want to copy is kept in memory, 8 MiB by
		// its own count. There are none; 1 MiB is the least.
		dynamicconfig.XDCCacheMaxSizeBytes.Key(): 1,
	}
}
