package graphtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// upload is an upload session. The server's lock guards it.
type upload struct {
	drive *drive
	at    *entity
	path  string // below at; "" is at itself
	data  []byte
}

// signed is a pre-authenticated URL on the foreign host: any client may use it.
func (s *Server) signed(path string) string { return s.foreignURL + path + "?tempauth=" + s.sign(path) }

func (s *Server) sign(path string) string {
	m := hmac.New(sha256.New, s.signing[:])
	m.Write([]byte(path))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func (s *Server) downloadURL(driveID, item string) string {
	return s.signed("/download/" + url.PathEscape(driveID) + "/" + item)
}

// serveForeign is the host for contents. It refuses Authorization: Graph's tokens would be taken for its own, and
// fail.
func (s *Server) serveForeign(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if r.Header.Get("Authorization") != "" || !hmac.Equal([]byte(r.URL.Query().Get("tempauth")), []byte(s.sign(path))) {
		http.Error(w, "401 Unauthorized", http.StatusUnauthorized)
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "download" && len(parts) == 3:
		s.download(w, r, parts[1], parts[2])
	case parts[0] == "up" && len(parts) == 2:
		s.upload(w, r, parts[1])
	case parts[0] == "monitor":
		writeForeign(w, http.StatusOK, object{"status": "completed", "percentageComplete": 100.0, "resourceId": itemID(path)})
	case parts[0] == "report":
		w.Header().Set("Content-Type", "text/csv")
		_, _ = io.WriteString(w, "Report Refresh Date,User Principal Name,Send Count\n2026-11-20,adele@contoso.com,12\n")
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) download(w http.ResponseWriter, r *http.Request, driveID, item string) {
	s.mu.Lock()
	var data []byte
	var e *entity
	if d := s.tenant.drives[driveID]; d != nil {
		if e = d.items.get(item); e != nil {
			data = bytes.Clone(d.content[item])
		}
	}
	tag, name := "", ""
	if e != nil {
		tag, name = e.text("eTag"), e.text("name")
	}
	s.mu.Unlock()
	if e == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", mimeType(name))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

// upload takes ranges in order, reports the state, and cancels.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, id string) {
	s.mu.Lock()
	u := s.tenant.uploads[id]
	s.mu.Unlock()
	if u == nil {
		writeForeign(w, http.StatusNotFound, foreignError("itemNotFound", "The upload session was not found."))
		return
	}
	switch r.Method {
	case http.MethodGet:
		s.mu.Lock()
		next := len(u.data)
		s.mu.Unlock()
		writeForeign(w, http.StatusOK, object{"nextExpectedRanges": []string{strconv.Itoa(next) + "-"}})
	case http.MethodDelete:
		s.mu.Lock()
		delete(s.tenant.uploads, id)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPut:
		data, err := io.ReadAll(io.LimitReader(r.Body, 60<<20))
		if err != nil {
			writeForeign(w, http.StatusBadRequest, foreignError("invalidRequest", "The body could not be read."))
			return
		}
		status, body := s.receive(u, id, r.Header.Get("Content-Range"), data)
		writeForeign(w, status, body)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// receive appends one range: "bytes 0-25/128".
func (s *Server) receive(u *upload, id, contentRange string, data []byte) (int, object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first, last, total int
	if n, err := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &total); n != 3 || err != nil ||
		last-first+1 != len(data) || last >= total {
		return http.StatusBadRequest, foreignError("invalidRequest", "The Content-Range header is missing or malformed.")
	}
	if first != len(u.data) {
		return http.StatusRequestedRangeNotSatisfiable, foreignError("invalidRange",
			"The uploaded fragment has already been received or is out of order.")
	}
	u.data = append(u.data, data...)
	if len(u.data) < total {
		return http.StatusAccepted, object{
			"expirationDateTime": timestamp(time.Now().Add(time.Hour)),
			"nextExpectedRanges": []string{fmt.Sprintf("%d-%d", len(u.data), total-1)},
		}
	}
	delete(s.tenant.uploads, id)
	e, status := u.at, http.StatusOK
	if u.path != "" {
		e, status = s.tenant.putFile(u.drive, u.at, u.path, u.data), http.StatusCreated
	} else {
		s.tenant.writeContent(u.drive, e, u.data)
	}
	return status, object{
		"id":   e.id,
		"name": e.text("name"),
		"size": len(u.data),
		"file": object{"mimeType": mimeType(e.text("name"))},
	}
}

func foreignError(code, message string) object {
	return object{"error": object{"code": code, "message": message}}
}

func writeForeign(w http.ResponseWriter, status int, body object) {
	text, _ := json.Marshal(body) // strings, numbers and lists
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
