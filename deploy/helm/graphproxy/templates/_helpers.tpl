{{- define "graphproxy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "graphproxy.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 57 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 57 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "graphproxy.name" .) | trunc 57 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "graphproxy.selector" -}}
app.kubernetes.io/name: {{ include "graphproxy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "graphproxy.labels" -}}
{{ include "graphproxy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "graphproxy.serviceAccount" -}}
{{- default (include "graphproxy.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "graphproxy.policyConfigMap" -}}
{{- default (printf "%s-policy" (include "graphproxy.fullname" .)) .Values.existingPolicyConfigMap -}}
{{- end -}}

{{- define "graphproxy.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- /* The names that callers and Prometheus use: GRAPHPROXY_HOSTS. */ -}}
{{- define "graphproxy.hosts" -}}
{{- $name := include "graphproxy.fullname" . -}}
{{- $inNamespace := printf "%s.%s" $name .Release.Namespace -}}
{{- $own := list $name $inNamespace (printf "%s.svc" $inNamespace) (printf "%s.svc.cluster.local" $inNamespace) -}}
{{- join "," (concat $own .Values.hosts) -}}
{{- end -}}

{{- /* The fewest replicas that there are: GRAPHPROXY_REDIS_REPLICAS. */ -}}
{{- define "graphproxy.replicas" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.minReplicas }}{{- else -}}{{ .Values.replicas }}{{- end -}}
{{- end -}}
