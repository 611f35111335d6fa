package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"sluice.dev/sluice/config"
)

// Load reads the settings of a process. Flags may be nil or lack some of those
// of AddFlags, AddWorkerFlags and AddWatchFlags. The error names everything that is wrong.
func Load(flags *pflag.FlagSet) (Settings, error) {
	if flags == nil {
		flags = pflag.NewFlagSet("", pflag.ContinueOnError)
	}
	v := viper.New()
	path, err := readFile(v, flags)
	if err != nil {
		return Settings{}, err
	}
	for _, o := range allOptions() {
		v.SetDefault(o.key, o.value)
		if err := v.BindEnv(o.key, o.env()); err != nil {
			return Settings{}, fmt.Errorf("binding %s: %w", o.env(), err)
		}
		if flag := flags.Lookup(o.flag); flag != nil {
			if err := v.BindPFlag(o.key, flag); err != nil {
				return Settings{}, fmt.Errorf("binding --%s: %w", o.flag, err)
			}
		}
	}
	var s Settings
	hooks := viper.DecodeHook(mapstructure.ComposeDecodeHookFunc(
		mapstructure.TextUnmarshallerHookFunc(),
		mapstructure.StringToTimeDurationHookFunc(),
		mapstructure.StringToSliceHookFunc(","),
	))
	if err := v.Unmarshal(&s, hooks); err != nil {
		return Settings{}, fmt.Errorf("reading settings%s: %w", from(path), err)
	}
	if err := overrideGateways(&s, flags); err != nil {
		return Settings{}, err
	}
	if err := s.complete(); err != nil {
		return Settings{}, fmt.Errorf("reading settings%s: %w", from(path), err)
	}
	return s, nil
}

func from(path string) string {
	if path == "" {
		return ""
	}
	return " (file " + path + ")"
}

// readFile merges the settings file into v and returns its path; none where
// there is no file in the usual places.
func readFile(v *viper.Viper, flags *pflag.FlagSet) (string, error) {
	path, err := findFile(flags)
	if path == "" || err != nil {
		return "", err
	}
	file := viper.New()
	file.SetConfigFile(path)
	file.SetConfigType("yaml")
	if err := file.ReadInConfig(); err != nil {
		return "", fmt.Errorf("reading settings file %s: %w", path, err)
	}
	if err := unknownKeys(file.AllKeys()); err != nil {
		return "", fmt.Errorf("reading settings file %s: %w", path, err)
	}
	if err := v.MergeConfigMap(file.AllSettings()); err != nil {
		return "", fmt.Errorf("reading settings file %s: %w", path, err)
	}
	return path, nil
}

// findFile returns the file that was asked for, or the first that exists.
func findFile(flags *pflag.FlagSet) (string, error) {
	if flag := flags.Lookup(configFlag); flag != nil && flag.Changed {
		return flag.Value.String(), nil
	}
	if path := os.Getenv(configEnv); path != "" {
		return path, nil
	}
	candidates := []string{fileBaseName}
	if dir, err := os.UserConfigDir(); err == nil {
		candidates = append(candidates, filepath.Join(dir, "sluice", fileBaseName))
	}
	for _, path := range candidates {
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("looking for the settings file: %w", err)
		}
	}
	return "", nil
}

// unknownKeys refuses the keys of a file that mean nothing.
func unknownKeys(keys []string) error {
	var known []string
	for _, o := range allOptions() {
		known = append(known, o.key)
	}
	slices.Sort(keys)
	var errs []error
	for _, key := range keys {
		candidates, name := known, key
		if class, field, ok := gatewayKey(key); ok {
			candidates, name = gatewayFields(class), gatewaysKey+"."+class+"."+field
		}
		if slices.ContainsFunc(candidates, func(k string) bool { return strings.EqualFold(k, name) }) || strings.EqualFold(key, gatewaysKey) {
			continue
		}
		err := fmt.Errorf("unknown key %s", key)
		if near := config.Nearest(name, candidates); near != "" {
			err = fmt.Errorf("unknown key %s: did you mean %s?", key, near)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// gatewayKey splits gateways.<class>.<field>.
func gatewayKey(key string) (class, field string, ok bool) {
	rest, ok := strings.CutPrefix(key, gatewaysKey+".")
	if !ok {
		return "", "", false
	}
	class, field, ok = strings.Cut(rest, ".")
	return class, field, ok
}

func gatewayFields(class string) []string {
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Gateway]()) {
		names = append(names, gatewaysKey+"."+class+"."+field.Tag.Get("mapstructure"))
	}
	return names
}

// overrideGateways replaces the gateways of the file by those of the flag or
// the environment variable, where there are any.
func overrideGateways(s *Settings, flags *pflag.FlagSet) error {
	var texts []string
	if flag := flags.Lookup(gatewayFlag); flag != nil && flag.Changed {
		values, err := flags.GetStringArray(gatewayFlag)
		if err != nil {
			return fmt.Errorf("reading --%s: %w", gatewayFlag, err)
		}
		texts = values
	} else if env := os.Getenv(gatewaysEnv); env != "" {
		texts = strings.Split(env, ",")
	}
	if len(texts) == 0 {
		return nil
	}
	s.Gateways = map[string]Gateway{}
	for _, text := range texts {
		class, gateway, err := parseGateway(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		s.Gateways[class] = gateway
	}
	return nil
}
