package admission

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

// The paths of the webhooks.
const (
	PathHold     = "/hold"
	PathValidate = "/validate"
)

// Rollouts answers what the webhooks have to know, from caches.
type Rollouts interface {
	// Governor returns the Rollout that wants changes of a workload held; nil
	// where there is none, or where it is disabled or being deleted. One whose
	// document is wrong has them held, too: they wait until it is right.
	Governor(namespace, kind, name string) *Governor
	// Holder names the Rollout that has the workload of a document already; empty
	// where that is none or the document's own object.
	Holder(doc *config.Rollout, object *unstructured.Unstructured) string
	// Ours says whether a Rollout object is for this watcher.
	Ours(obj *unstructured.Unstructured) bool
}

// Server answers the API server.
type Server struct {
	Rollouts Rollouts
	Log      *slog.Logger
	// Observe is told how long an answer took; may be nil.
	Observe func(path string, took time.Duration)
}

// Handler returns the handler of both webhooks.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathHold, s.answer(PathHold, s.hold))
	mux.HandleFunc("POST "+PathValidate, s.answer(PathValidate, s.validate))
	return mux
}

// maxReview is more than the largest object that the API server stores, twice.
const maxReview = 8 << 20

// answer reads a review and writes its response. What goes wrong here lets the
// write pass: the watcher stops what should have been held.
func (s *Server) answer(path string, judge func(*admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		var review admissionv1.AdmissionReview
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReview))
		if err == nil {
			err = json.Unmarshal(body, &review)
		}
		if err != nil || review.Request == nil {
			http.Error(w, "not an AdmissionReview", http.StatusBadRequest)
			return
		}
		response, err := judge(review.Request)
		if err != nil {
			s.Log.Error("a write passes unjudged", "webhook", path, "object", review.Request.Namespace+"/"+review.Request.Name, "error", err)
			response = &admissionv1.AdmissionResponse{Allowed: true, Warnings: []string{"sluice: " + err.Error()}}
		}
		response.UID = review.Request.UID
		review.Request, review.Response = nil, response
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			s.Log.Warn("answering the API server", "webhook", path, "error", err)
		}
		if s.Observe != nil {
			s.Observe(path, time.Since(begin))
		}
	}
}

// hold answers for a workload.
func (s *Server) hold(req *admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, error) {
	var before, after appsv1.Deployment
	if err := json.Unmarshal(req.OldObject.Raw, &before); err != nil {
		return nil, fmt.Errorf("reading the workload: %w", err)
	}
	if err := json.Unmarshal(req.Object.Raw, &after); err != nil {
		return nil, fmt.Errorf("reading the changed workload: %w", err)
	}
	manager := managerOf(req)
	verdict, err := Judge(Change{
		Old: &before, New: &after, Manager: manager, By: writer(manager, req.UserInfo.Username),
		Governor: s.Rollouts.Governor(req.Namespace, req.Kind.Kind, req.Name),
	})
	if err != nil {
		return nil, err
	}
	if verdict.Denied != "" {
		return deny(verdict.Denied), nil
	}
	response := &admissionv1.AdmissionResponse{Allowed: true, Warnings: verdict.Warnings}
	if len(verdict.Patch) > 0 {
		patch, err := json.Marshal(verdict.Patch)
		if err != nil {
			return nil, fmt.Errorf("encoding the hold: %w", err)
		}
		kind := admissionv1.PatchTypeJSONPatch
		response.Patch, response.PatchType = patch, &kind
	}
	return response, nil
}

// managerOf is the name under which a request writes fields.
func managerOf(req *admissionv1.AdmissionRequest) string {
	var options struct {
		FieldManager string `json:"fieldManager"`
	}
	if json.Unmarshal(req.Options.Raw, &options) != nil {
		return ""
	}
	return options.FieldManager
}

// writer names who writes: the program and the user.
func writer(manager, user string) string {
	switch {
	case manager == "":
		return user
	case user == "":
		return manager
	}
	return user + " (" + manager + ")"
}

// validate answers for a Rollout.
func (s *Server) validate(req *admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, error) {
	after, err := decode(req.Object.Raw)
	if err != nil {
		return nil, err
	}
	if !s.Rollouts.Ours(after) || managerOf(req) == release.WatchManager || unchanged(req, after) {
		return &admissionv1.AdmissionResponse{Allowed: true}, nil
	}
	doc, err := Parse(after)
	leaving := after.GetDeletionTimestamp() != nil
	switch {
	case err != nil && leaving:
		return &admissionv1.AdmissionResponse{Allowed: true}, nil
	case err != nil:
		return deny(err.Error()), nil
	}
	if other := s.Rollouts.Holder(&doc, after); other != "" && !leaving {
		return deny(fmt.Sprintf("%s %s/%s has Rollout %s already: one Rollout per workload", doc.Workload.Kind, doc.Namespace, doc.Workload.Name, other)), nil
	}
	if err := checkUpdate(req, &doc); err != nil {
		return deny(err.Error()), nil
	}
	var warnings []string
	for _, finding := range config.Warnings(doc, 0) {
		warnings = append(warnings, "sluice: "+finding.FieldError.Error())
	}
	return &admissionv1.AdmissionResponse{Allowed: true, Warnings: warnings}, nil
}

// unchanged says that an update is not about what the rules are about: the
// finalizers of a wrong document can be written, too. So can what the watcher
// itself notes in an annotation.
func unchanged(req *admissionv1.AdmissionRequest, after *unstructured.Unstructured) bool {
	if len(req.OldObject.Raw) == 0 {
		return false
	}
	before, err := decode(req.OldObject.Raw)
	return err == nil && reflect.DeepEqual(before.Object["spec"], after.Object["spec"]) &&
		maps.Equal(before.GetAnnotations(), after.GetAnnotations())
}

// checkUpdate compares an edit with what it edits, if that could be read.
func checkUpdate(req *admissionv1.AdmissionRequest, doc *config.Rollout) error {
	if len(req.OldObject.Raw) == 0 {
		return nil
	}
	before, err := decode(req.OldObject.Raw)
	if err != nil {
		return err
	}
	old, err := Parse(before)
	if err != nil {
		return nil //nolint:nilerr // a wrong document may be replaced by any right one
	}
	phase, _, _ := unstructured.NestedString(before.Object, "status", "phase")
	return CheckEdit(phase, &old, doc)
}

func decode(raw []byte) (*unstructured.Unstructured, error) {
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("reading the Rollout: %w", err)
	}
	return obj, nil
}

func deny(text string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity, Message: text}}
}
