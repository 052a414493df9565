//go:build !race

package cloudtest

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
)

func startS3(front func(http.Handler) *httptest.Server) (func(string) string, string) {
	memory := s3mem.New()
	if err := memory.CreateBucket(bucket); err != nil {
		return nil, err.Error()
	}
	at := front(gofakes3.New(memory).Server())
	setenv(map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"})
	return func(prefix string) string {
		return "s3://" + bucket + "/" + prefix + "?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(at.URL)
	}, ""
}

func startGCS(front func(http.Handler) *httptest.Server) (func(string) string, string) {
	var proxy *httptest.Server
	// An upload in parts is told where to send them, which must be the proxy: so
	// the proxy is there before what it stands for.
	var gcs *fakestorage.Server
	proxy = front(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { gcs.HTTPHandler().ServeHTTP(w, r) }))
	at, err := url.Parse(proxy.URL)
	if err == nil {
		gcs, err = fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, ExternalURL: proxy.URL, PublicHost: at.Host, Writer: io.Discard})
	}
	if err != nil {
		return nil, err.Error()
	}
	gcs.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	setenv(map[string]string{"STORAGE_EMULATOR_HOST": at.Host})
	return func(prefix string) string { return "gs://" + bucket + "/" + prefix }, ""
}

// azuriteAccount and its key open Azurite only.
const azuriteAccount = "devstoreaccount1"

// runUntilEOF runs a Node program that ends when its standard input does, and so
// with the process that started it, however that ends.
const runUntilEOF = `process.stdin.resume().on("end", () => process.exit(0)); require(process.argv[1])`

func startAzure(front func(http.Handler) *httptest.Server) (func(string) string, string) {
	program, err := azurite()
	if err != nil {
		return nil, err.Error()
	}
	cmd := exec.Command("node", "-e", runUntilEOF, program,
		"--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry")
	key := base64.StdEncoding.EncodeToString([]byte("sweep's tests"))
	cmd.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+azuriteAccount+":"+key)
	address, err := listening(cmd)
	if err != nil {
		return nil, fmt.Sprintf("Azurite does not start: %v", err)
	}
	to, err := url.Parse(address)
	if err != nil {
		return nil, err.Error()
	}
	at := front(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // of clients that hang up, as tests have them do
	})
	proxy, err := url.Parse(at.URL)
	if err != nil {
		return nil, err.Error()
	}
	setenv(map[string]string{"AZURE_STORAGE_ACCOUNT": azuriteAccount, "AZURE_STORAGE_KEY": key})
	if err := createContainer(at.URL, key); err != nil {
		return nil, fmt.Sprintf("make a container: %v", err)
	}
	return func(prefix string) string {
		return "azblob://" + bucket + "/" + prefix + "?protocol=http&localemu=true&domain=" + url.QueryEscape(proxy.Host)
	}, ""
}

// azurite finds the program where .ci/run puts it, or beside what is on the path.
func azurite() (string, error) {
	if _, err := exec.LookPath("node"); err != nil {
		return "", errors.New("there is no node to run Azurite with")
	}
	if path, err := exec.LookPath("azurite-blob"); err == nil {
		return filepath.EvalSymlinks(path)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, ".azurite", "node_modules", "azurite", "dist", "src", "blob", "main.js")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("there is no Azurite: `npm install --prefix .azurite azurite` installs it")
		}
		dir = filepath.Dir(dir)
	}
}

var listens = regexp.MustCompile(`listens on (http://[0-9.:]+)`)

// listening starts the program and returns the address that it prints. Its
// standard input stays open as long as this process lives.
func listening(cmd *exec.Cmd) (string, error) {
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	overdue := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // which ends the scan
	defer overdue.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if at := listens.FindStringSubmatch(lines.Text()); at != nil {
			go func() { // as long as it runs
				_, _ = io.Copy(io.Discard, out)
				_ = lifeline.Close()
			}()
			return at[1], nil
		}
	}
	return "", errors.Join(errors.New("it ended without an address"), cmd.Wait())
}
