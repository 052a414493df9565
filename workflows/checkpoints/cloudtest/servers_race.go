//go:build race

package cloudtest

import (
	"net/http"
	"net/http/httptest"
)

func startS3(func(http.Handler) *httptest.Server) (func(string) string, string)    { return none() }
func startGCS(func(http.Handler) *httptest.Server) (func(string) string, string)   { return none() }
func startAzure(func(http.Handler) *httptest.Server) (func(string) string, string) { return none() }

func none() (func(string) string, string) {
	return nil, "no servers of clouds under the race detector"
}
