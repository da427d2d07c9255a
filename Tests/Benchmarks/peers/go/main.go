// The small service on net/http: GET /ping and GET /v1/device with the key, built from values at every request.
//
// usage: service PORT KEY-FILE VALUES-FILE
package main

import (
	"crypto/subtle"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

type lock struct {
	AppID   int64  `json:"appId"`
	Service string `json:"service"`
	Path    string `json:"path"`
}

// device has the members of GET /v1/device in their order.
type device struct {
	APIPort           int       `json:"api_port"`
	IPAddress         string    `json:"ip_address"`
	Commit            *string   `json:"commit"`
	Status            string    `json:"status"`
	DownloadProgress  *int      `json:"download_progress"`
	OSVersion         string    `json:"os_version"`
	SupervisorVersion string    `json:"supervisor_version"`
	UpdatePending     bool      `json:"update_pending"`
	UpdateDownloaded  bool      `json:"update_downloaded"`
	UpdateFailed      bool      `json:"update_failed"`
	UpdateError       *string   `json:"update_error"`
	Locks             []lock    `json:"locks"`
	Connectivity      *struct{} `json:"connectivity"`
}

type service struct {
	key    []byte
	values device
	count  atomic.Int64
}

func (s *service) isKey(text string) bool {
	return subtle.ConstantTimeCompare([]byte(text), s.key) == 1
}

// guard lets through who shows the key.
func (s *service) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "peer-"+strconv.FormatInt(s.count.Add(1), 36))
		if !s.isKey(r.URL.Query().Get("apikey")) {
			scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			if !strings.EqualFold(scheme, "bearer") || !s.isKey(bearer) {
				w.Header().Set("Content-Type", "text/plain; charset=utf-8")
				w.WriteHeader(http.StatusUnauthorized)
				w.Write([]byte("Unauthorized"))
				return
			}
		}
		next(w, r)
	}
}

func (s *service) ping(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("OK"))
}

func (s *service) device(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(device{
		APIPort:           s.values.APIPort,
		IPAddress:         s.values.IPAddress,
		Commit:            s.values.Commit,
		Status:            s.values.Status,
		OSVersion:         s.values.OSVersion,
		SupervisorVersion: s.values.SupervisorVersion,
		Locks:             []lock{},
	})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(body)
}

func must(data []byte, err error) []byte {
	if err != nil {
		log.Fatal(err)
	}
	return data
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: service PORT KEY-FILE VALUES-FILE")
	}
	s := &service{key: must(os.ReadFile(os.Args[2]))}
	if err := json.Unmarshal(must(os.ReadFile(os.Args[3])), &s.values); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", s.guard(s.ping))
	mux.HandleFunc("/v1/device", s.guard(s.device))
	// Without time-outs: they would cost it more.
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], mux))
}
