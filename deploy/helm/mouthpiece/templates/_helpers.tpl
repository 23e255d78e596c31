{{- define "mouthpiece.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mouthpiece.headless" -}}
{{ include "mouthpiece.fullname" . }}-core-headless
{{- end -}}

{{/* The whole name: the edge tries no search domains. */}}
{{- define "mouthpiece.coreDns" -}}
{{ include "mouthpiece.headless" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end -}}

{{/* Of every object that selects or is selected. */}}
{{- define "mouthpiece.instanceLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* (dict "root" $ "component" "core") */}}
{{- define "mouthpiece.selectorLabels" -}}
{{ include "mouthpiece.instanceLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "mouthpiece.labels" -}}
{{ include "mouthpiece.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (dict "root" $ "image" .Values.core.image) */}}
{{- define "mouthpiece.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The user of the images. */}}
{{- define "mouthpiece.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "mouthpiece.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Where the bucket is, and the keys to it. */}}
{{- define "mouthpiece.bucketEnv" -}}
{{- $secret := required "avatars.credentials.existingSecret: a Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" .Values.avatars.credentials.existingSecret -}}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . }}
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ . }} } }
{{- end }}
{{- with .Values.avatars.endpoint }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.avatars.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "mouthpiece.avatarsRoot" -}}
{{- required "avatars.root: the bucket that `mouthpiece publish` has filled, s3://bucket[/prefix]" .Values.avatars.root -}}
{{- end -}}

{{/* A core that listens beyond loopback refuses to start without one of the two. */}}
{{- define "mouthpiece.checkAccess" -}}
{{- with .Values.access -}}
{{- if not (or .open .tenants .operatorKeys) -}}
{{- fail "access.tenants names nobody who may use the edges: name tenants, or set access.open" -}}
{{- end -}}
{{- if and .open (or .tenants .operatorKeys) -}}
{{- fail "access.open lets everybody in: leave it out, or access.tenants and access.operatorKeys" -}}
{{- end -}}
{{- end -}}
{{- with .Values.coreAccess -}}
{{- if not (or .token.existingSecret .tls.clientAuth) -}}
{{- fail "coreAccess: set token.existingSecret, or tls.clientAuth" -}}
{{- end -}}
{{- if and .tls.clientAuth (not .tls.enabled) -}}
{{- fail "coreAccess.tls.clientAuth: needs tls.enabled" -}}
{{- end -}}
{{- if and .tls.enabled (not .tls.existingSecret) -}}
{{- fail "coreAccess.tls.existingSecret: a Secret with tls.crt, tls.key and ca.crt" -}}
{{- end -}}
{{- if and .tls.clientAuth (not .tls.edgeSecret) -}}
{{- fail "coreAccess.tls.edgeSecret: a Secret with tls.crt and tls.key, which clientAuth asks of the edges" -}}
{{- end -}}
{{- end -}}
{{- end -}}
