package graphtest
import ("net/http";"sync")
type node struct{}
func buildRoutes() *node {return nil}
type tenant struct{ sent int }
func newTenant(id, base string, n int) *tenant { return &tenant{} }
func newKey() [32]byte { return [32]byte{} }
func (s *Server) handler(j *journal, f func(http.ResponseWriter,*http.Request)) http.Handler { return http.HandlerFunc(f) }
func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request) {}
func (s *Server) serveForeign(w http.ResponseWriter, r *http.Request) {}
type Reading struct{}
func Read(target string) (Reading, error) { return Reading{}, nil }
func ID(name string) string { return "" }
func DriveID(owner string) string { return "" }
var _ sync.Mutex
