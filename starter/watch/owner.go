package watch

import (
	"encoding/json"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
)

// author is who has written a field of an object last.
type author struct {
	manager string
	at      time.Time
}

// String identifies one write: who and when.
func (a author) String() string { return a.manager + " " + a.at.UTC().Format(time.RFC3339) }

// somebody is true for a field that another one than the watcher has written.
func (a author) somebody() bool { return a.manager != "" && a.manager != release.WatchManager }

// authorOf finds who manages a field, from the object's managedFields. Of several
// it is the one that wrote last, and somebody else rather than the watcher.
func authorOf(obj *unstructured.Unstructured, path ...string) author {
	var last author
	for _, entry := range obj.GetManagedFields() {
		if entry.FieldsV1 == nil || entry.Time == nil || !manages(entry.FieldsV1.Raw, path) {
			continue
		}
		tie := entry.Time.Time.Equal(last.at) && last.manager == release.WatchManager
		if last.manager == "" || entry.Time.After(last.at) || tie {
			last = author{manager: entry.Manager, at: entry.Time.Time}
		}
	}
	return last
}

// manages says whether a set of fields, as the API server keeps it, has one.
func manages(raw []byte, path []string) bool {
	var set map[string]json.RawMessage
	if json.Unmarshal(raw, &set) != nil {
		return false
	}
	next, ok := set["f:"+path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	return manages(next, slices.Clone(path[1:]))
}
