package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// wares is what the test servers hand out: 300 kB that do not repeat.
var wares = func() []byte {
	rng := NewSplitMix64(1)
	out := make([]byte, 300_000)
	for i := range out {
		out[i] = byte(rng.Uint64())
	}
	return out
}()

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// wanted is a file that the lookup must find with the test's content.
func wanted() file { return file{set: "set", name: "file.bin", sha256: hash(wares)} }

// serve starts a server, and returns options that download from it into a folder of the test's.
func serve(t *testing.T, handler http.HandlerFunc) Options {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return Options{Dirs: []string{}, Cache: t.TempDir(), base: server.URL + "/"}
}

// good serves the content, also in part.
func good(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(wares))
}

// left lists what is in the cache's folder of the set, but for the lock.
func left(t *testing.T, o Options) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(o.Cache, "set"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		if e.Name() != ".lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

// fails looks up the file and wants an error that is ErrUnavailable and holds the words, and what to do.
func fails(t *testing.T, o Options, words ...string) {
	t.Helper()
	content, err := wanted().find(t.Context(), o)
	if content != nil || !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %d bytes and the error %v, want none and ErrUnavailable", len(content), err)
	}
	words = append(words, "put file.bin from "+o.base+"file.bin into "+filepath.Join(o.Cache, "set"), "HINDSIGHT_DATA")
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error is %q, must hold %q", err, w)
		}
	}
}

func TestDownload(t *testing.T) {
	var asked atomic.Int32
	var reported []int64
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		good(w, r)
	})
	o.Progress = func(name string, done, total int64) {
		if name != "file.bin" || total != int64(len(wares)) {
			t.Errorf("progress of %s to %d, want file.bin to %d", name, total, len(wares))
		}
		reported = append(reported, done)
	}
	for range 2 {
		content, err := wanted().find(t.Context(), o)
		if err != nil || !bytes.Equal(content, wares) {
			t.Fatalf("got %d bytes and %v", len(content), err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the server was asked %d times, want once: the second time from the cache", asked.Load())
	}
	if !slices.IsSorted(reported) || len(reported) == 0 || reported[len(reported)-1] != int64(len(wares)) {
		t.Errorf("progress was %v, must rise to %d", reported, len(wares))
	}
	if got := left(t, o); !slices.Equal(got, []string{"file.bin"}) {
		t.Errorf("the cache holds %v", got)
	}
}

// The order: folders named, in their order and first those of the set's name; the cache; the system; the server.
func TestOrder(t *testing.T) {
	served := false
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		served = true
		good(w, r)
	})
	first, second, system := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("HINDSIGHT_DATA", string(os.PathListSeparator)+first+string(os.PathListSeparator)+second)
	o.Dirs = nil
	f := wanted()
	f.system = []string{system}
	places := []string{
		filepath.Join(first, "set", "file.bin"), filepath.Join(first, "file.bin"), filepath.Join(second, "set", "file.bin"),
		filepath.Join(second, "file.bin"), filepath.Join(o.Cache, "set", "file.bin"), filepath.Join(system, "file.bin"),
	}
	for i, place := range places { // without a checksum, each place may hold something else
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(place, []byte{byte(i)}, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.sha256 = ""
	for i, place := range places {
		if content, err := f.find(t.Context(), o); err != nil || content[0] != byte(i) {
			t.Fatalf("place %d is not the next one: %v, %v", i, content, err)
		}
		if err := os.Remove(place); err != nil {
			t.Fatal(err)
		}
	}
	if content, err := f.find(t.Context(), o); err != nil || !served || len(content) != len(wares) {
		t.Errorf("at last: %d bytes, %v; from the server: %v", len(content), err, served)
	}
}

// A copy with another checksum is passed over, and named where nothing fits.
func TestWrongCopy(t *testing.T) {
	o := serve(t, good)
	dir := t.TempDir()
	o.Dirs = []string{dir}
	if err := os.WriteFile(filepath.Join(dir, "file.bin"), []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	if content, err := wanted().find(t.Context(), o); err != nil || !bytes.Equal(content, wares) {
		t.Errorf("got %d bytes and %v, want the right ones from the server", len(content), err)
	}
	o.Offline, o.Cache = true, t.TempDir()
	fails(t, o, filepath.Join(dir, "file.bin")+" has the SHA-256", "downloads are switched off")
}

func TestOffline(t *testing.T) {
	o := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	o.Offline = true
	fails(t, o, "downloads are switched off")
}

func TestNoServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(good))
	server.Close()
	fails(t, Options{Dirs: []string{}, Cache: t.TempDir(), base: server.URL + "/"}, "refused")
}

// Files in the folders named are found although there is no folder for a cache.
func TestNoCache(t *testing.T) {
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData", "home"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	if _, err := wanted().find(t.Context(), Options{Dirs: []string{dir}}); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "name a folder in HINDSIGHT_DATA") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file.bin"), wares, 0o644); err != nil {
		t.Fatal(err)
	}
	if content, err := wanted().find(t.Context(), Options{Dirs: []string{dir}}); err != nil || !bytes.Equal(content, wares) {
		t.Errorf("got %d bytes and %v", len(content), err)
	}
}

// A file may be pinned by git's name of its content; that of "hello\n" is known to everybody.
func TestBlob(t *testing.T) {
	if got := blobName([]byte("hello\n")); got != "ce013625030ba8dba906f756967f9e9ca394464a" {
		t.Errorf("got %s", got)
	}
	o := serve(t, good)
	f := wanted()
	f.sha256, f.blob = "", blobName(wares)
	if _, err := f.find(t.Context(), o); err != nil {
		t.Error(err)
	}
	f.blob = blobName(nil)
	if _, err := f.find(t.Context(), o); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "must be "+f.blob) {
		t.Errorf("got %v", err)
	}
}

func TestWrongChecksum(t *testing.T) {
	asked := 0
	o := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = w.Write([]byte("not what was published"))
	})
	fails(t, o, "has the SHA-256 "+hash([]byte("not what was published")), "must have "+hash(wares))
	if got := left(t, o); len(got) > 0 {
		t.Errorf("%v is left, want nothing", got)
	}
	fails(t, o)
	if asked != 2 {
		t.Errorf("the server was asked %d times, want again after the wrong answer", asked)
	}
}

// A server that fails is asked a few times, one that says no once; both are named.
func TestStatus(t *testing.T) {
	for status, times := range map[int]int{http.StatusNotFound: 1, http.StatusForbidden: 1, http.StatusInternalServerError: 4} {
		asked := 0
		o := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			http.Error(w, "an error page must never become data", status)
		})
		fails(t, o, fmt.Sprintf("the server answered %d", status))
		if asked != times {
			t.Errorf("%d: asked %d times, want %d", status, asked, times)
		}
		if got := left(t, o); len(got) > 0 {
			t.Errorf("%d: %v is left, want nothing", status, got)
		}
	}
}

// cutOff sends the first n bytes of a promised whole and hangs up.
func cutOff(w http.ResponseWriter, n int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(wares)))
	_, _ = w.Write(wares[:n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// A body that is cut off never gets the file's name; the next try asks for the rest only.
func TestResume(t *testing.T) {
	var ranges []string
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		if len(ranges) == 1 {
			cutOff(w, 100_000)
		}
		good(w, r)
	})
	fails(t, o, "100000 of 300000 bytes came")
	if got := left(t, o); !slices.Equal(got, []string{"file.bin.part"}) {
		t.Fatalf("the cache holds %v, want only the part that came", got)
	}
	content, err := wanted().find(t.Context(), o)
	if err != nil || !bytes.Equal(content, wares) {
		t.Fatalf("got %d bytes and %v", len(content), err)
	}
	if !slices.Equal(ranges, []string{"", "bytes=100000-"}) {
		t.Errorf("asked for the ranges %q, want the rest at the second time", ranges)
	}
	if got := left(t, o); !slices.Equal(got, []string{"file.bin"}) {
		t.Errorf("the cache holds %v", got)
	}
}

// Whatever a part from an earlier try is, a right file comes of it, at the latest at the second try.
func TestOldParts(t *testing.T) {
	whole := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wares) }
	for name, c := range map[string]struct {
		part    []byte
		handler http.HandlerFunc
		tries   int
	}{
		"whole":                      {wares, good, 1}, // the last program ended before it could rename
		"too long":                   {append(slices.Clone(wares), 'x'), good, 2},
		"of another file":            {[]byte("another"), good, 2},
		"server knows no ranges":     {wares[:1000], whole, 1},
		"server sends another range": {wares[:1000], otherRange, 2},
	} {
		t.Run(name, func(t *testing.T) {
			o := serve(t, c.handler)
			if err := os.MkdirAll(filepath.Join(o.Cache, "set"), 0o755); err != nil {
				t.Fatal(err)
			}
			part := filepath.Join(o.Cache, "set", "file.bin.part")
			if err := os.WriteFile(part, c.part, 0o644); err != nil {
				t.Fatal(err)
			}
			if name == "server sends another range" {
				fails(t, o, `the server sent "bytes 0-299999/300000", asked were the bytes from 1000 on`)
				return
			}
			for range c.tries - 1 {
				fails(t, o, "has the SHA-256")
			}
			if content, err := wanted().find(t.Context(), o); err != nil || !bytes.Equal(content, wares) {
				t.Errorf("got %d bytes and %v", len(content), err)
			}
		})
	}
}

// otherRange answers with other bytes than those asked for, and says so.
func otherRange(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(wares)-1, len(wares)))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(wares)
}

// stalls sends n bytes and then nothing until the client goes away or the test ends.
func stalls(t *testing.T, n int) http.HandlerFunc {
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	return func(w http.ResponseWriter, r *http.Request) {
		if n > 0 {
			w.Header().Set("Content-Length", fmt.Sprint(len(wares)))
			_, _ = w.Write(wares[:n])
			w.(http.Flusher).Flush()
		}
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}
}

// A server that falls silent, before or within its answer, is given up after a while; one that is slow is not.
func TestSilentServer(t *testing.T) {
	for _, n := range []int{0, 50_000} {
		o := serve(t, stalls(t, n))
		o.patience = 150 * time.Millisecond
		fails(t, o, "the server was silent for 150ms")
	}
	o := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(wares); i += 30_000 {
			time.Sleep(30 * time.Millisecond)
			_, _ = w.Write(wares[i : i+30_000])
			w.(http.Flusher).Flush()
		}
	})
	o.patience = 200 * time.Millisecond
	if content, err := wanted().find(t.Context(), o); err != nil || len(content) != len(wares) {
		t.Errorf("a slow server: %d bytes and %v", len(content), err)
	}
}

// A context that ends stops a download at once. It is no reason to call the data unavailable: nobody may skip for it.
func TestContext(t *testing.T) {
	o := serve(t, stalls(t, 50_000))
	for _, want := range []error{context.DeadlineExceeded, context.Canceled} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if want == context.Canceled { //nolint:errorlint // it is the very value
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		start := time.Now()
		_, err := wanted().find(ctx, o)
		if !errors.Is(err, want) || errors.Is(err, ErrUnavailable) || time.Since(start) > 5*time.Second {
			t.Errorf("got %v after %v, want %v at once", err, time.Since(start), want)
		}
		cancel()
	}
	if got := left(t, o); !slices.Equal(got, []string{"file.bin.part"}) {
		t.Errorf("the cache holds %v, want what came", got)
	}
}

// Many that want the same file get it whole, and it is fetched once.
func TestConcurrentLoads(t *testing.T) {
	var asked atomic.Int32
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		time.Sleep(50 * time.Millisecond)
		good(w, r)
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if content, err := wanted().find(t.Context(), o); err != nil || !bytes.Equal(content, wares) {
				t.Errorf("got %d bytes and %v", len(content), err)
			}
		})
	}
	all.Wait()
	if asked.Load() != 1 {
		t.Errorf("the server was asked %d times, want once", asked.Load())
	}
}

// Who waits for another's download can be stopped.
func TestWaitIsInterrupted(t *testing.T) {
	o := serve(t, stalls(t, 1000))
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := wanted().find(ctx, o)
		first <- err
	}()
	for part := filepath.Join(o.Cache, "set", "file.bin.part"); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(part); err == nil {
			break
		}
	}
	waiting, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := wanted().find(waiting, o); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for another download") {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first one: %v", err)
	}
}

// The checksum of a packed file is that of its content: it may be packed in another way.
func TestUnpacking(t *testing.T) {
	for _, level := range []int{gzip.BestSpeed, gzip.BestCompression} {
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, level)
		_, _ = z.Write(wares)
		_ = z.Close()
		o := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				t.Error("the client offers to unpack in transit: a file that is packed would arrive unpacked")
			}
			_, _ = w.Write(packed.Bytes())
		})
		f := wanted()
		f.unpack = true
		if content, err := f.find(t.Context(), o); err != nil || !bytes.Equal(content, wares) {
			t.Errorf("got %d bytes and %v", len(content), err)
		}
	}
	o := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("no archive")) })
	f := wanted()
	f.unpack = true
	if _, err := f.find(t.Context(), o); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("got %v", err)
	}
}

// Go reads the proxy variables once a process, so another one of this program asks for a host that does not exist.
func TestProxy(t *testing.T) {
	const cacheVariable = "HINDSIGHT_TEST_PROXY_CACHE"
	if cache := os.Getenv(cacheVariable); cache != "" {
		o := Options{Dirs: []string{}, Cache: cache, base: "http://data.invalid/"}
		if content, err := wanted().find(t.Context(), o); err != nil || !bytes.Equal(content, wares) {
			t.Errorf("got %d bytes and %v", len(content), err)
		}
		return
	}
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.String())
		good(w, r)
	}))
	defer proxy.Close()
	program, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	child := exec.CommandContext(t.Context(), program, "-test.run=^TestProxy$")
	child.Env = append(os.Environ(), "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=", cacheVariable+"="+t.TempDir())
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := asked.Load(); got != "http://data.invalid/file.bin" {
		t.Errorf("the proxy was asked for %v", got)
	}
}

// A folder that cannot be written to is named.
func TestCacheIsAFile(t *testing.T) {
	o := serve(t, good)
	o.Cache = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(o.Cache, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	fails(t, o, o.Cache)
}
