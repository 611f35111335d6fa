package settings

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Setting is one setting as its documentation tells it.
type Setting struct {
	// Key in sluice.yaml, Flag without its dashes, and Env, its variable; each is
	// empty where the setting cannot be given so.
	Key, Flag, Env string
	// Default in words; empty where there is none.
	Default string
	// Usage says what it means; empty for what must not be on a command line.
	Usage string
}

// OfWorker returns the settings of sluice-worker in the order of its flags. Of
// gateways, `class` stands for a class of Ingress.
func OfWorker() []Setting {
	list := []Setting{{
		Flag: configFlag, Env: configEnv, Usage: "settings file",
		Default: "./" + fileBaseName + ", then $XDG_CONFIG_HOME/sluice/" + fileBaseName,
	}}
	for _, o := range slices.Concat(commonOptions, workerOptions) {
		s := Setting{Key: o.key, Flag: o.flag, Env: o.env(), Default: o.defaultText(), Usage: o.usage}
		if o.secret {
			s.Flag, s.Usage = "", "a secret: never on the command line, where others see it"
		}
		list = append(list, s)
	}
	list = append(list, Setting{Flag: gatewayFlag, Env: gatewaysEnv,
		Usage: "gateway of a class of Ingress, " + gatewayForm + "; the flag may be repeated, the variable has commas"})
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Gateway]()) {
		list = append(list, Setting{Key: gatewaysKey + ".class." + field.Tag.Get("mapstructure"), Usage: "the same, in the file"})
	}
	return list
}

// defaultText is the default as a person writes it.
func (o option) defaultText() string {
	switch value := o.value.(type) {
	case time.Duration:
		return value.String()
	case []string, nil:
		return ""
	}
	return fmt.Sprint(o.value)
}
