{{/* config.yaml of a core: what this chart knows, and core.config over it. */}}
{{- define "mouthpiece.coreConfig" -}}
{{- include "mouthpiece.checkAccess" . -}}
{{- $access := .Values.coreAccess -}}
{{- with .Values.core -}}
{{- $server := dict "host" "0.0.0.0" "port" (int .port) "drain_timeout_s" (int .drainSeconds) -}}
{{- if $access.token.existingSecret -}}
{{- $_ := set $server "token_file" "token" -}}
{{- end -}}
{{- if $access.tls.enabled -}}
{{- $tls := dict "cert" "tls/tls.crt" "key" "tls/tls.key" -}}
{{- if $access.tls.clientAuth -}}
{{- $_ := set $tls "client_ca" "tls/ca.crt" -}}
{{- end -}}
{{- $_ := set $server "tls" $tls -}}
{{- end -}}
{{- $gpus := dict "enabled" .gpus.enabled "count" (int .gpus.count) "memory_gb_per_gpu" .gpus.memoryGbPerGpu -}}
{{- $cache := dict "path" "/var/cache/mouthpiece/models" "max_gb" .modelCache.maxGb -}}
{{- $config := dict "server" $server "gpus" $gpus "models_root" (include "mouthpiece.avatarsRoot" $) "model_cache" $cache -}}
{{- toYaml (mergeOverwrite $config (deepCopy .config)) -}}
{{- end -}}
{{- end -}}

{{/* edge.yaml: what this chart knows, and edge.config over it. */}}
{{- define "mouthpiece.edgeConfig" -}}
{{- include "mouthpiece.checkAccess" . -}}
{{- $access := .Values.coreAccess -}}
{{- $discover := dict "dns" (include "mouthpiece.coreDns" .) "port" (int .Values.core.port) -}}
{{- /* A core that drains has left DNS: it is kept until it has ended. */ -}}
{{- $_ := set $discover "leave_s" (add (int .Values.core.drainSeconds) 15) -}}
{{- $core := dict "discover" $discover -}}
{{- if $access.token.existingSecret -}}
{{- $_ := set $core "token_file" "token" -}}
{{- end -}}
{{- if $access.tls.enabled -}}
{{- $_ := set $discover "scheme" "https" -}}
{{- with $access.tls.serverName -}}
{{- $_ := set $discover "server_name" . -}}
{{- end -}}
{{- $tls := dict "ca" "tls/ca.crt" -}}
{{- if $access.tls.clientAuth -}}
{{- $_ := set $tls "cert" "tls/tls.crt" -}}
{{- $_ := set $tls "key" "tls/tls.key" -}}
{{- end -}}
{{- $_ := set $core "tls" $tls -}}
{{- end -}}
{{- $server := dict "host" "0.0.0.0" "port" (int .Values.edge.port) "drain_timeout_s" (int .Values.edge.drainSeconds) -}}
{{- $who := dict -}}
{{- if .Values.access.open -}}
{{- $_ := set $who "open" true -}}
{{- else -}}
{{- $_ := set $who "tenants" .Values.access.tenants -}}
{{- $_ := set $who "operator_keys" .Values.access.operatorKeys -}}
{{- end -}}
{{- if .Values.access.tokenKeys.existingSecret -}}
{{- $_ := set $who "tokens" (dict "keys_file" "token-keys.json") -}}
{{- end -}}
{{- $config := dict "server" $server "access" $who "core" $core "avatars_root" (include "mouthpiece.avatarsRoot" .) -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.edge.config)) -}}
{{- end -}}

{{/* One volume: the configuration, and beside it the files that it names. */}}
{{- define "mouthpiece.coreFiles" -}}
# 0440: the files are the group's, and the group is the container's.
defaultMode: 288
sources:
  - configMap:
      name: {{ include "mouthpiece.fullname" . }}-core
  {{- with .Values.coreAccess.token }}
  {{- if .existingSecret }}
  - secret:
      name: {{ .existingSecret }}
      items: [{ key: {{ .key }}, path: token }]
  {{- end }}
  {{- end }}
  {{- with .Values.coreAccess.tls }}
  {{- if .enabled }}
  - secret:
      name: {{ .existingSecret }}
      items:
        - { key: tls.crt, path: tls/tls.crt }
        - { key: tls.key, path: tls/tls.key }
        {{- if .clientAuth }}
        - { key: ca.crt, path: tls/ca.crt }
        {{- end }}
  {{- end }}
  {{- end }}
{{- end -}}

{{- define "mouthpiece.edgeFiles" -}}
# 0440: the files are the group's, and the group is the container's.
defaultMode: 288
sources:
  - configMap:
      name: {{ include "mouthpiece.fullname" . }}-edge
  {{- with .Values.access.tokenKeys }}
  {{- if .existingSecret }}
  - secret:
      name: {{ .existingSecret }}
      items: [{ key: {{ .key }}, path: token-keys.json }]
  {{- end }}
  {{- end }}
  {{- with .Values.coreAccess.token }}
  {{- if .existingSecret }}
  - secret:
      name: {{ .existingSecret }}
      items: [{ key: {{ .key }}, path: token }]
  {{- end }}
  {{- end }}
  {{- with .Values.coreAccess.tls }}
  {{- if .enabled }}
  # Of the cores' Secret the authority alone.
  - secret:
      name: {{ .existingSecret }}
      items: [{ key: ca.crt, path: tls/ca.crt }]
  {{- if .clientAuth }}
  - secret:
      name: {{ .edgeSecret }}
      items:
        - { key: tls.crt, path: tls/tls.crt }
        - { key: tls.key, path: tls/tls.key }
  {{- end }}
  {{- end }}
  {{- end }}
{{- end -}}
