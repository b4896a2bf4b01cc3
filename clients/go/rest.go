// Package oaktree has helpers for clients of oaktree, one gRPC API for all clouds. Messages and stubs are in the package v1 below.
package oaktree

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	v1 "openstackoid.org/oaktree/v1"
)

// Tokens are renewed so long before they end, for clocks that differ and requests that take time.
const margin = time.Minute

// Headers that may contain secrets for one host only.
var secretHeaders = []string{"Authorization", "Cookie", "Referer", "X-Auth-Token", "X-Service-Token", "X-Subject-Token"}

// Rest makes an HTTP client of one service of one cloud, for what oaktree lacks. URLs are paths below the root of the service's API, as in
// client.Get("servers/detail"), and every request has a valid token.
//
// The token goes to the API's own scheme, host and port only: a redirect to another one is followed without it. A request for a URL of
// another host is an error, as is one for which oaktree gives no endpoint and token: a *url.Error around the status.
func Rest(connection grpc.ClientConnInterface, location *v1.Location, service string) *http.Client {
	request := &v1.GetRestInfoRequest{Location: location, Service: service}
	return &http.Client{Transport: &restTransport{clouds: v1.NewCloudServiceClient(connection), request: request}}
}

type restTransport struct {
	clouds  v1.CloudServiceClient
	request *v1.GetRestInfoRequest
	mutex   sync.Mutex
	info    *v1.GetRestInfoResponse
}

// RoundTrip completes the URL, and adds the headers or removes secrets.
func (t *restTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	info, root, err := t.current(request.Context())
	if err == nil {
		request, err = complete(request, info, root)
	}
	if err != nil {
		if request.Body != nil {
			request.Body.Close() // As the interface demands.
		}
		return nil, err
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	// http.Client would resolve it against the path that it was given.
	if next := response.Header.Get("Location"); next != "" {
		if absolute, err := request.URL.Parse(next); err == nil {
			response.Header.Set("Location", absolute.String())
		}
	}
	return response, nil
}

func (t *restTransport) current(ctx context.Context) (*v1.GetRestInfoResponse, *url.URL, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.info == nil || (t.info.ExpiresAt != nil && time.Until(t.info.ExpiresAt.AsTime()) <= margin) {
		info, err := t.clouds.GetRestInfo(ctx, t.request)
		if err != nil {
			return nil, nil, err
		}
		t.info = info
	}
	root, err := url.Parse(t.info.RootUrl)
	return t.info, root, err
}

func complete(request *http.Request, info *v1.GetRestInfoResponse, root *url.URL) (*http.Request, error) {
	sent := request.Clone(request.Context())
	if sent.URL.Scheme == "" && sent.URL.Host == "" {
		below, err := url.Parse(strings.TrimRight(root.String(), "/") + "/" + strings.TrimLeft(sent.URL.String(), "/"))
		if err != nil {
			return request, err
		}
		sent.URL, sent.Host = below, ""
	}
	if origin(sent.URL) == origin(root) {
		for name, value := range info.Headers {
			if sent.Header.Get(name) == "" {
				sent.Header.Set(name, value)
			}
		}
		return sent, nil
	}
	// What a redirect led to has the response that said so.
	if request.Response == nil {
		return request, fmt.Errorf("expected a path below %s, got a URL of another host", info.RootUrl)
	}
	for _, name := range secretHeaders {
		sent.Header.Del(name)
	}
	for name := range info.Headers {
		sent.Header.Del(name)
	}
	return sent, nil
}

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
