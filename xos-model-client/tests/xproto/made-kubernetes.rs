use xos_model_client::models::{
    ComputeServiceInstance, Service, ServiceInstance, TrustDomain, XosBase,
};
use xos_model_client::{Link, XosChoice, XosModel};

#[derive(XosModel, Clone, Debug)]
#[xos(
    app_label = "kubernetes",
    verbose_name = "Kubernetes Service",
    crate = xos_model_client
)]
pub struct KubernetesService {
    #[xos(base)]
    pub service: Service,
}

/// The values of `kubectl_state`.
#[derive(XosChoice, Clone, Debug, PartialEq)]
#[xos(crate = xos_model_client)]
pub enum KubectlState {
    #[xos(label = "CREATED")]
    Created,
    #[xos(label = "UPDATED")]
    Updated,
    #[xos(label = "DELETED")]
    Deleted,
    /// A value that this program does not know
    Other(String),
}

// xproto also says: option sync_implemented = "True";
#[derive(XosModel, Clone, Debug)]
#[xos(
    app_label = "kubernetes",
    verbose_name = "Kubernetes Resource Instance",
    crate = xos_model_client
)]
pub struct KubernetesResourceInstance {
    #[xos(base)]
    pub service_instance: ServiceInstance,
    #[xos(number = 3, max_length = 65535)]
    pub resource_definition: Option<String>,
    #[xos(number = 4, max_length = 32, feedback)]
    pub kubectl_state: Option<KubectlState>,
}

/// The values of `last_event_sent`.
#[derive(XosChoice, Clone, Debug, PartialEq)]
#[xos(crate = xos_model_client)]
pub enum LastEventSent {
    #[xos(label = "CREATED")]
    Created,
    #[xos(label = "UPDATED")]
    Updated,
    #[xos(label = "DELETED")]
    Deleted,
    /// A value that this program does not know
    Other(String),
}

// xproto also says: option sync_implemented = "True";
#[derive(XosModel, Clone, Debug)]
#[xos(
    app_label = "kubernetes",
    verbose_name = "Kubernetes Service Instance",
    crate = xos_model_client
)]
pub struct KubernetesServiceInstance {
    #[xos(base)]
    pub compute_service_instance: ComputeServiceInstance,
    #[xos(number = 1, max_length = 32)]
    pub pod_ip: Option<String>,
    #[xos(number = 2, default = false)]
    pub need_event: bool,
    #[xos(number = 3, max_length = 32)]
    pub last_event_sent: Option<LastEventSent>,
}

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "kubernetes", extensible, crate = xos_model_client)]
pub struct KubernetesData {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, max_length = 256)]
    pub name: String,
    #[xos(number = 2, text)]
    pub data: Option<String>,
    #[xos(
        number = 3,
        index,
        reverse = "kubernetes_configmaps",
        reverse_number = 1003
    )]
    pub trust_domain: Link<TrustDomain>,
}

// xproto also says: option sync_implemented = "True";
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "kubernetes", crate = xos_model_client)]
pub struct KubernetesConfigMap {
    #[xos(base)]
    pub kubernetes_data: KubernetesData,
}

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "kubernetes", crate = xos_model_client)]
pub struct KubernetesSecret {
    #[xos(base)]
    pub kubernetes_data: KubernetesData,
}

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "kubernetes", crate = xos_model_client)]
pub struct KubernetesSecretVolumeMount {
    #[xos(base)]
    pub base: XosBase,
    #[xos(
        number = 1,
        index,
        reverse = "kubernetes_secret_volume_mounts",
        reverse_number = 1001
    )]
    pub secret: Link<KubernetesSecret>,
    #[xos(number = 2, index, reverse = "kubernetes_secret_volume_mounts")]
    pub service_instance: Link<KubernetesServiceInstance>,
    #[xos(number = 3, max_length = 1024)]
    pub mount_path: String,
    #[xos(number = 4, max_length = 1024)]
    pub sub_path: Option<String>,
}

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "kubernetes", crate = xos_model_client)]
pub struct KubernetesConfigVolumeMount {
    #[xos(base)]
    pub base: XosBase,
    #[xos(
        number = 1,
        index,
        reverse = "kubernetes_config_voume_mounts",
        reverse_number = 1001
    )]
    pub config: Link<KubernetesConfigMap>,
    #[xos(
        number = 2,
        index,
        reverse = "kubernetes_config_volume_mounts",
        reverse_number = 1001
    )]
    pub service_instance: Link<KubernetesServiceInstance>,
    #[xos(number = 3, max_length = 1024)]
    pub mount_path: String,
    #[xos(number = 4, max_length = 1024)]
    pub sub_path: Option<String>,
}
