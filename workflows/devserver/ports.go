package devserver

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The server is told its ports by number and listens later, so between the two
// another process may take one. Ports below the range from which systems give
// out numbers of their own accord (32768 on Linux, 49152 elsewhere) are taken
// only by processes that ask for that very number.
const firstPort, lastPort = 20000, 32767

// freePorts finds n ports of 127.0.0.1 that are free now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp", localAddress(port))
		if err != nil {
			continue
		}
		defer l.Close() // held until all are found, so that none is found twice
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("find %d free ports from %d to %d on 127.0.0.1: none", n, firstPort, lastPort)
}

func localAddress(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
