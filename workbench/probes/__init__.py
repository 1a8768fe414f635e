"""What is measured: each probe takes raw values inside a worker and interprets nothing."""

from workbench.probes.accuracy import Accuracy
from workbench.probes.memory import Memory
from workbench.probes.peak import Peak
from workbench.probes.profile import Profile
from workbench.probes.size import Size
from workbench.probes.speed import Speed

PROBES = (Speed, Accuracy, Memory, Size, Profile, Peak)
