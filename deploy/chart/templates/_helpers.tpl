{{- define "socialsyncer.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* Labels of all objects. */}}
{{- define "socialsyncer.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* Labels by which the pods of a part are selected: (list root part group). */}}
{{- define "socialsyncer.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- if gt (len .) 2 }}
socialsyncer/group: {{ index . 2 }}
{{- end }}
{{- end }}

{{- define "socialsyncer.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* The Secret of a part: (list root part). */}}
{{- define "socialsyncer.secret" -}}
{{- $secret := index (index . 0).Values.secrets (index . 1) -}}
{{ $secret.existing | default (printf "%s-%s" (include "socialsyncer.name" (index . 0)) (index . 1)) }}
{{- end }}

{{- /* The environment of a part: (list root own), where own are the chart's own values of settings. */}}
{{- define "socialsyncer.env" -}}
{{- $root := index . 0 -}}
{{- range $name, $value := merge (dict) (index . 1) $root.Values.settings }}
{{- /* A whole number of a values file is a float here: 2000000 would be written 2e+06. */}}
{{- $whole := and (kindIs "float64" $value) (eq (floor $value) $value) }}
- {name: {{ $name }}, value: {{ ternary (int64 $value | toString) (toString $value) $whole | quote }}}
{{- end }}
- {name: TEMPORAL_ADDRESS, value: {{ required "temporal.address is needed" $root.Values.temporal.address | quote }}}
- {name: TEMPORAL_NAMESPACE, value: {{ $root.Values.temporal.namespace | quote }}}
{{- with $root.Values.temporal.apiKey.existing }}
- name: TEMPORAL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: apiKey}}
{{- end }}
{{- with $root.Values.temporal.tls }}
{{- if .existing }}
- {name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /run/temporal/tls.crt}
- {name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /run/temporal/tls.key}
{{- if .ca }}
- {name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /run/temporal/ca.crt}
{{- end }}
{{- end }}
{{- end }}
{{- with $root.Values.secrets.bucket.existing }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ . }}, key: AWS_ACCESS_KEY_ID}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: AWS_SECRET_ACCESS_KEY}}
{{- end }}
{{- end }}

{{- define "socialsyncer.mounts" -}}
- {name: secrets, mountPath: /run/secrets, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if .Values.temporal.tls.existing }}
- {name: temporal, mountPath: /run/temporal, readOnly: true}
{{- end }}
{{- if .Values.uploads.existingClaim }}
- {name: media, mountPath: /media}
{{- end }}
{{- end }}

{{- /* The volumes of a part: (list root part). */}}
{{- define "socialsyncer.volumes" -}}
{{- $root := index . 0 -}}
- name: secrets
{{- if eq (index . 1) "operator" }}
  projected:
    defaultMode: 0440
    sources:
      - secret: {name: {{ include "socialsyncer.secret" (list $root "migrate") }}}
      - secret:
          name: {{ include "socialsyncer.secret" (list $root "worker") }}
          optional: true
          items:
            - {key: socialsyncer_encryption_keys, path: socialsyncer_encryption_keys}
            - {key: socialsyncer_apps, path: socialsyncer_apps}
{{- else }}
  secret: {secretName: {{ include "socialsyncer.secret" . }}, defaultMode: 0440}
{{- end }}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- with $root.Values.temporal.tls.existing }}
- name: temporal
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with $root.Values.uploads.existingClaim }}
- name: media
  persistentVolumeClaim: {claimName: {{ . }}}
{{- end }}
{{- end }}

{{- define "socialsyncer.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "socialsyncer.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* What all pods have: (list root part). */}}
{{- define "socialsyncer.pod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ $root.Values.serviceAccountName }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "socialsyncer.podSecurity" $root | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  {{- include "socialsyncer.volumes" . | nindent 2 }}
{{- end }}

{{- /* The nodes on which the pods of a part may run. */}}
{{- define "socialsyncer.nodes" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Where the pods of a part run: (list values selector). Without a wish of the operator's they spread over nodes. */}}
{{- define "socialsyncer.placement" -}}
{{- $values := index . 0 -}}
{{- with include "socialsyncer.nodes" $values }}
{{- . | trim }}
{{ end -}}
topologySpreadConstraints:
{{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- index . 1 | nindent 8 }}
{{- end }}
{{- end }}
