import pytest

from phantom.cases import make_phantom


@pytest.fixture(scope="session")
def mr():
    return make_phantom(1, 5)


@pytest.fixture(scope="session")
def ct():
    return make_phantom(3, 5)


@pytest.fixture(scope="session", params=["mr", "ct"])
def phantom(request):
    return request.getfixturevalue(request.param)
